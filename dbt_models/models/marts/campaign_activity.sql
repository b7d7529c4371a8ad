-- depends_on: {{ ref('build_span') }}
{{ config(materialized='sliced', unique_key='campaign_id', meta={'gone': 'events = 0', 'several_rows': true}) }}
{# One row per campaign and experiment, counted anew as a whole for the campaigns of which somebody's row changed.
   `unique_…` counts people: a row of user_campaign_activity is one person, whatever they are called. #}
with touched as (
    select distinct campaign_id
    from {{ ref('user_campaign_activity') }}
    where campaign_id is not null {{ 'and _load_id > (select marts_built_from from ' ~ ref('build_span') ~ ')' if is_built() }}
)

select
    campaign_id,
    experiment_id,
    cast(sum(events) as bigint) as events,
    {{ how_many('events > 0') }} as count_unique_users,
    min(first_event_at) as first_event_at,
    max(last_event_at) as last_event_at,
    {% for name in ['template_id', 'campaign_name', 'template_name'] -%}
    {{ latest(name, 'last_event_at') }} as {{ name }},
    {% endfor -%}
    {% for each in event_types() -%}
    {% set total = total_of(each['name']) -%}
    cast(sum({{ total }}) as bigint) as {{ total }},
    {{ how_many(total ~ ' > 0') }} as unique_{{ total }},
    {% endfor -%}
    cast(sum(purchase_revenue) as decimal(38, 6)) as purchase_revenue
from {{ ref('user_campaign_activity') }}
where campaign_id in (select campaign_id from touched)
group by campaign_id, experiment_id
