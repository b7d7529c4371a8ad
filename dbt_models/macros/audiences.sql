{# The moment that audiences and traits are as of: the end of the newest hour of activity. Not the clock: while nothing
   comes in, nobody lapses, and the same data gives the same members. #}
{% macro as_of() -%}
    (select max(loads.hour) + interval 1 hour from {{ activity_loads() }} as loads)
{%- endmacro %}

{# When a person last had an event of one of some steps, of any channel. #}
{% macro newest_of_steps(row, steps) -%}
    greatest({% for each in event_types() | selectattr('step', 'in', steps) %}{{ row }}.it_last_{{ each['profile'] }}_ts{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{# How many events of one of some steps a person has had, of any channel. #}
{% macro count_of_steps(row, steps) -%}
    ({% for each in event_types() | selectattr('step', 'in', steps) %}{{ row }}.it_{{ each['profile'] }}ct{{ ' + ' if not loop.last }}{% endfor %})
{%- endmacro %}

{# How many messages a person was sent in those channels where Iterable tells of openings: not SMS, for instance. #}
{% macro count_of_openable_sends(row) -%}
    {%- set found = [] -%}
    {%- for sent in event_types() if sent['step'] == 'sent' -%}
        {%- set channel, column = sent['name'] | replace('Send', ''), row ~ '.it_' ~ sent['profile'] ~ 'ct' -%}
        {%- for each in event_types() if each['step'] == 'opened' and each['name'].startswith(channel) -%}
            {%- if loop.first %}{% do found.append(column) %}{% endif -%}
        {%- endfor -%}
    {%- endfor -%}
    ({{ found | join(' + ') }})
{%- endmacro %}

{# The names of the data types that are one of some steps. #}
{% macro names_of_steps(steps) %}
    {{ return(event_types() | selectattr('step', 'in', steps) | map(attribute='name') | list) }}
{% endmacro %}

{# How many events of some data types a row of user_activity_hourly has. #}
{% macro events_of(data_types) -%}
    {% for each in data_types %}coalesce(counts['{{ each }}'], 0){{ ' + ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# The moment so many days before `as_of`, written out so that the engine skips all older hours. #}
{% macro days_back(days) -%}
    {%- set start = single('select ' ~ as_of() ~ ' - interval ' ~ days ~ ' day') if execute else none -%}
    timestamp '{{ start or '9999-12-31 00:00:00' }}'
{%- endmacro %}

{# The channels whose fatigue is told: what is sent in each, and what counts as opening it; a text message tells of clicks
   only. #}
{% macro fatigue_channels() %}
    {{ return({
        'email': ('emailSend', 'emailOpen'),
        'push': ('pushSend', 'pushOpen'),
        'sms': ('smsSend', 'smsClick'),
        'in_app': ('inAppSend', 'inAppOpen'),
    }) }}
{% endmacro %}
