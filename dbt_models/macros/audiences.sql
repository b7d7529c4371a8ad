{# The moment that audiences and traits are as of: the end of the newest hour of activity. Not the clock: while nothing
   comes in, nobody lapses, and the same data gives the same members. #}
{% macro as_of() -%}
    (select max(loads.hour) + interval 1 hour from {{ activity_loads() }} as loads)
{%- endmacro %}

{# When a person last had an event of one of some steps, of any channel. #}
{% macro newest_of_steps(row, steps) -%}
    greatest({% for each in event_types() if each['step'] in steps %}{{ row }}.it_last_{{ each['profile'] }}_ts{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{# How many events of one of some steps a person has had, of any channel. #}
{% macro count_of_steps(row, steps) -%}
    ({% for each in event_types() if each['step'] in steps %}{{ row }}.it_{{ each['profile'] }}ct{{ ' + ' if not loop.last }}{% endfor %})
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

{# How many events of a data type the rows of user_activity_hourly have. #}
{% macro count_of(data_type) -%}
    cast(sum(coalesce(counts['{{ data_type }}'], 0)) as bigint)
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
