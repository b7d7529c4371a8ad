{{ config(
    materialized='sliced',
    unique_key='user_key',
    meta={'gone': '_events = 0 and not _has_user'}
) }}
{# One row per person, with and without activity, with and without a user record. #}
with touched as (select user_key from {{ ref('touched_users') }} where {{ in_slice_of_users('user_key') }}),

raw_keys as (
    select raw_key, user_key from {{ ref('user_keys') }} where user_key in (select user_key from touched)
),

pieces as (
    select {{ base_columns('base', 'base.merged_to', 'raw_keys.user_key') }}
    from {{ ref('user_base') }} as base
    inner join raw_keys on base.user_key = raw_keys.raw_key
    union all
    select {{ base_columns('tail', 'tail.hour', 'raw_keys.user_key') }}
    from {{ ref('user_activity_hourly') }} as tail
    inner join raw_keys on tail.user_key = raw_keys.raw_key
    where tail.hour >= {{ moment_of_span('tail_start') }}
),

{{ merge_pieces('pieces') }},

activity as (
    select merged.*, parts.raw_keys
    from merged
    inner join (
        select user_key, {{ set_of('raw_key', 'true') }} as raw_keys from raw_keys group by user_key
    ) as parts on merged.user_key = parts.user_key
),

users as (
    select *
    from {{ source('streams', 'iterable_users') }}
    where _current and user_key in (select user_key from touched)
),

{% for name, table in [('campaign', 'campaigns'), ('template', 'templates'), ('workflow', 'journeys')] -%}
{{ name }}s_by_id as (
    select activity.user_key, {{ set_of('named.name', 'true') }} as names
    from (select user_key, {{ elements('unnamed_' ~ name ~ 's') }} as id from activity) as activity
    inner join {{ source('objects', table) }} as named on activity.id = cast(named.id as {{ dbt.type_string() }})
    group by activity.user_key
),

{% endfor -%}
profiles as (
    select
        touched.user_key,
        coalesce({{ normal_email('users.email') }}, activity.email) as email,
        {{ email_domain('coalesce(' ~ normal_email('users.email') ~ ', activity.email)') }} as emaildomain,
        coalesce(nullif(users.user_id, ''), activity.user_id) as it_user_id,
        users.first_name,
        users.last_name,
        users.gender,
        users.city,
        users.country,
        users.timezone,
        users.profile_updated_at,
        users.signup_date,
        {% for column, field in var('profile_fields').items() -%}
        {{ record_field('users.record', field) }} as {{ adapter.quote(column) }},
        {% endfor -%}
        {% for each in var('data_types') if each['name'] != 'user' -%}
        coalesce(activity.counts['{{ each['name'] }}'], 0) as it_{{ each['profile'] }}ct,
        activity.first_at['{{ each['name'] }}'] as it_first_{{ each['profile'] }}_ts,
        activity.last_at['{{ each['name'] }}'] as it_last_{{ each['profile'] }}_ts,
        {% endfor -%}
        activity.last_at['pushUninstall'] as it_unsub_ts,
        {{ largest_of('activity.last_at') }} as last_active_ts,
        {% set sets = {
            'it_event': keys_of('activity.counts'),
            'it_campaigns': 'activity.campaigns',
            'it_templates': 'activity.templates',
            'it_channels': 'activity.channels',
            'it_message_types': 'activity.message_types',
            'it_workflow_ids': 'activity.workflows',
            'it_messages': 'activity.push_messages',
            '_unnamed_campaigns': 'activity.unnamed_campaigns',
            '_unnamed_templates': 'activity.unnamed_templates',
            '_unnamed_workflows': 'activity.unnamed_workflows',
            '_raw_keys': 'activity.raw_keys',
        } -%}
        {% for name, value in sets.items() -%}
        coalesce({{ value }}, {{ empty_set() }}) as {{ name }},
        {% endfor -%}
        {% for name in ['campaign', 'template', 'workflow'] -%}
        {{ union_of('coalesce(activity.' ~ name ~ '_names, ' ~ empty_set() ~ ')', 'coalesce(' ~ name ~ 's_by_id.names, ' ~ empty_set() ~ ')') }}
            as it_{{ name }}_names,
        {% endfor -%}
        {% set maps = {
            'it_impressions': 'impressions',
            'it_conversions': 'conversions',
            'it_mobile_hourlyopen': 'push_hours_of_day',
            'it_mobile_hourofweek': 'push_hours_of_week',
            'it_mobile_monthly': 'push_months',
            'it_custom_events': 'custom_events',
        } -%}
        {% for name, value in maps.items() -%}
        coalesce(activity.{{ value }}, {{ empty_map('bigint') }}) as {{ name }},
        {% endfor -%}
        activity.push_deeplink as it_push_deeplink,
        activity.phone,
        coalesce(cast(activity.purchase_revenue as double), 0) as it_purchase_revenue,
        users.user_key is not null as _has_user,
        coalesce(activity.events, 0) as _events
    from touched
    left join activity on touched.user_key = activity.user_key
    left join users on touched.user_key = users.user_key
    left join campaigns_by_id on touched.user_key = campaigns_by_id.user_key
    left join templates_by_id on touched.user_key = templates_by_id.user_key
    left join workflows_by_id on touched.user_key = workflows_by_id.user_key
)

select * from profiles
