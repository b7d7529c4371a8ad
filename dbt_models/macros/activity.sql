{# Lists of data types, as SQL text, by what data_types.py says of them. #}
{% macro data_types_with(flag) -%}
    {%- set names = [] -%}
    {%- for each in var('data_types') if each[flag] %}{% do names.append("'" ~ each['name'] ~ "'") %}{% endfor -%}
    {{ names | join(', ') if names else "''" }}
{%- endmacro %}

{# The columns that partial rows and base rows have in common, merged by user: (name, expression over several rows). #}
{% macro merged_activity() %}
    cast(sum(events) as bigint) as events,
    {{ merge_maps('counts', 'sum', 'bigint') }} as counts,
    {{ merge_maps('first_at', 'min', 'timestamp') }} as first_at,
    {{ merge_maps('last_at', 'max', 'timestamp') }} as last_at,
    {% for name in activity_sets() -%}
    {{ merge_sets(name) }} as {{ name }},
    {% endfor -%}
    {% for name in activity_maps() -%}
    {{ merge_maps(name, 'sum', 'bigint') }} as {{ name }},
    {% endfor -%}
    {{ latest('push_deeplink', 'push_deeplink_at') }} as push_deeplink,
    max(push_deeplink_at) as push_deeplink_at,
    {{ latest('phone', 'phone_at') }} as phone,
    max(phone_at) as phone_at,
    cast(sum(purchase_revenue) as decimal(38, 6)) as purchase_revenue,
    max(email) as email,
    max(user_id) as user_id,
    max(itbl_user_id) as itbl_user_id
{% endmacro %}

{% macro activity_sets() %}
    {{ return(['campaigns', 'templates', 'channels', 'message_types', 'workflows', 'push_messages',
               'campaign_names', 'template_names', 'workflow_names',
               'unnamed_campaigns', 'unnamed_templates', 'unnamed_workflows']) }}
{% endmacro %}

{% macro activity_maps() %}
    {{ return(['impressions', 'conversions', 'push_hours_of_day', 'push_hours_of_week', 'push_months', 'custom_events']) }}
{% endmacro %}

{# The hours changed since the last build, as a condition that lets the engine skip everything else. #}
{% macro in_changed_hours(column) %}
    {%- set changed = ref('changed_hours') -%}
    {%- if execute -%}
        {%- set found = run_query('select min(hour), max(hour) from ' ~ changed) -%}
        {%- set first, last = found.columns[0].values()[0], found.columns[1].values()[0] -%}
        {%- if first is none -%}false{%- else -%}
        {{ column }} between timestamp '{{ first }}' and timestamp '{{ last }}'
        and {{ column }} in (select hour from {{ changed }})
        {%- endif -%}
    {%- else -%}true{%- endif -%}
{% endmacro %}

{# The columns of a partial or base row, in the order that unions need. #}
{% macro base_columns(row, merged_to) %}
    {{ row }}.user_key, {{ merged_to }} as merged_to, {{ row }}.events, {{ row }}.counts, {{ row }}.first_at, {{ row }}.last_at,
    {% for name in activity_sets() + activity_maps() -%}
    {{ row }}.{{ name }},
    {% endfor -%}
    {{ row }}.push_deeplink, {{ row }}.push_deeplink_at, {{ row }}.phone, {{ row }}.phone_at, {{ row }}.purchase_revenue,
    {{ row }}.email, {{ row }}.user_id, {{ row }}.itbl_user_id
{% endmacro %}
