-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('touched_people') }}, {{ ref('user_keys') }}, {{ ref('activity') }}
{{ config(materialized='sliced', unique_key='unique_user_campaign_id') }}
{# One row per person, campaign and experiment, counted anew for whoever is touched, and written if it says something else
   than before; NULL is no campaign. Of people who only did something new, only the rows that this is about are counted: the
   few who do much have most of all events. What is not there any more stays as a row of zeros, so that its
   campaign learns of it; `_load_id` says since which loads a row is what it is. Every data type is counted here; the marts
   show those that the settings name. #}
{# What left by the retention was counted when it did: its rows stand for several events each. A text that stands twice
   below: DuckDB would write every event aside for a `with` that is read twice. #}
{% set told %}
    select
        user_key, data_type, campaign_id, experiment_id, template_id, campaign_name, template_name,
        1 as events, created_at as first_at, created_at as last_at, {{ money('total') }} as total
    from {{ ref('activity') }}
    union all
    select
        user_key, data_type, campaign_id, experiment_id, template_id, campaign_name, template_name,
        events, first_at, last_at, total
    from {{ source('streams', 'expired_activity') }}
{% endset %}
{% set told_columns = ['data_type', 'campaign_id', 'experiment_id', 'template_id', 'campaign_name', 'template_name', 'events', 'first_at', 'last_at', 'total'] %}
with touched as (select user_key, whole from {{ ref('touched_people') }} where {{ in_slice_of_users('user_key') }}),

raw_keys as (
    select links.raw_key, links.user_key, touched.whole
    from {{ ref('user_keys') }} as links
    inner join touched on links.user_key = touched.user_key
),

{% if is_built() -%}
came as (
    select distinct raw_keys.user_key, activity.campaign_id, activity.experiment_id
    from {{ ref('activity') }} as activity
    inner join raw_keys on activity.user_key = raw_keys.raw_key
    where not raw_keys.whole and {{ in_changed_hours('activity._hour', 'marts_built_from') }}
),

-- a row by whatever key of the person its events may have
came_by_raw_key as (
    select raw_keys.raw_key, came.*
    from came
    inner join raw_keys on came.user_key = raw_keys.user_key
),

{% endif -%}
events as (
    select raw_keys.user_key, told.user_key as raw_key, told.{{ told_columns | join(', told.') }}
    from ({{ told }}) as told
    inner join raw_keys on told.user_key = raw_keys.raw_key
    where raw_keys.whole
    {% if is_built() -%}
    union all
    select came.user_key, told.user_key as raw_key, told.{{ told_columns | join(', told.') }}
    from ({{ told }}) as told
    inner join came_by_raw_key as came
        on told.user_key = came.raw_key and {{ same_row('told', 'came', ['campaign_id', 'experiment_id']) }}
    {%- endif %}
),

present as (
    select
        {{ row_id(['campaign_id', 'experiment_id', 'user_key']) }} as unique_user_campaign_id,
        user_key,
        campaign_id,
        experiment_id,
        cast(sum(events) as bigint) as events,
        min(first_at) as first_event_at,
        max(last_at) as last_event_at,
        min(first_at) filter (where data_type in ({{ data_types_of_steps(['opened', 'clicked']) }})) as first_open_or_click_event_at,
        {% for name in ['template_id', 'campaign_name', 'template_name'] -%}
        {{ latest(name, 'last_at') }} as {{ name }},
        {% endfor -%}
        cast({{ exact_sum('total') }} as decimal(38, 6)) as purchase_revenue,
        {% for each in event_types() -%}
        cast(sum(case when data_type = '{{ each['name'] }}' then events else 0 end) as bigint) as {{ total_of(each['name']) }},
        {% endfor -%}
        -- most people have but one key, and a list of it for each row would cost more than all the rest
        {{ set_of('raw_key', 'raw_key <> user_key') }} as _other_keys
    from events
    group by user_key, campaign_id, experiment_id
)

{% if is_built() -%}
, before as (
    select * from {{ this }} where unique_user_campaign_id in (select unique_user_campaign_id from present)
),

found as (
    select * from present
    union all
    select
        left_behind.unique_user_campaign_id, left_behind.user_key, left_behind.campaign_id, left_behind.experiment_id, 0 as events,
        null as first_event_at, null as last_event_at, null as first_open_or_click_event_at,
        null as template_id, null as campaign_name, null as template_name, 0 as purchase_revenue,
        {% for each in event_types() -%}
        0 as {{ total_of(each['name']) }},
        {% endfor -%}
        {{ empty_set() }} as _other_keys
    from {{ this }} as left_behind
    left join present on left_behind.unique_user_campaign_id = present.unique_user_campaign_id
    where
        left_behind.events > 0
        and left_behind.user_key in (select user_key from touched where whole) and present.unique_user_campaign_id is null
)

select found.*, span.built_to as _load_id
from found
cross join {{ ref('build_span') }} as span
left join before on found.unique_user_campaign_id = before.unique_user_campaign_id
{% if has_columns(this, user_campaign_columns()) -%}
where before.unique_user_campaign_id is null or not ({{ same_row('found', 'before', user_campaign_columns()) }})
{% endif %}
{%- else -%}
select present.*, span.built_to as _load_id
from present
cross join {{ ref('build_span') }} as span
{%- endif %}
