{# Every event of every activity stream, with the columns that profiles are made of. #}
{% set own = ['deeplink_ios', 'deeplink_android', 'to_phone_number', 'total'] %}
{% for stream in var('streams') %}
select
    user_key, {{ normal_email('email') }} as email, nullif(user_id, '') as user_id, nullif(itbl_user_id, '') as itbl_user_id,
    '{{ stream['name'] }}' as stream, data_type, created_at, {{ event_hour() }} as _hour, _load_id, event_name,
    campaign_id, template_id, message_id, message_type_id, channel_id, workflow_id, experiment_id,
    campaign_name, template_name, workflow_name, experience_id,
    {% for column in own -%}
    cast({{ column if column in stream['columns'] else 'null' }} as {{ 'double' if column == 'total' else dbt.type_string() }}) as {{ column }}{{ ',' if not loop.last }}
    {% endfor %}
from {{ source('streams', stream['name']) }}
{{ 'union all' if not loop.last }}
{% else %}
select null as user_key where false
{% endfor %}
