-- depends_on: {{ ref('user_activity_hourly') }}, {{ ref('user_keys') }}
{{ config(materialized='table') }}
{# What each person was sent and did in the last 30 days: counts by channel, and the hour of the day they are most active
   in. The bound is written out, so that the engine skips all older hours. #}
{% set start = run_query('select ' ~ as_of() ~ ' - interval 30 day').columns[0].values()[0] if execute else none %}
{% set channels = fatigue_channels() %}
with by_hour as (
    select
        links.user_key,
        {{ hour_of_day('activity.hour') }} as hour_of_day,
        {% for channel, (sent, opened) in channels.items() -%}
        {{ count_of(sent) }} as {{ channel }}_sends,
        {{ count_of(opened) }} as {{ channel }}_opens,
        {% endfor -%}
        cast(sum({% for each in event_types() if each['step'] in ['opened', 'clicked'] %}coalesce(activity.counts['{{ each['name'] }}'], 0){{ ' + ' if not loop.last }}{% endfor %}) as bigint) as engagements
    from {{ ref('user_activity_hourly') }} as activity
    inner join {{ ref('user_keys') }} as links on activity.user_key = links.raw_key
    where activity.events > 0 and activity.hour >= timestamp '{{ start or '9999-01-01' }}'
    group by links.user_key, {{ hour_of_day('activity.hour') }}
)

select
    user_key,
    {% for channel in channels -%}
    cast(sum({{ channel }}_sends) as bigint) as {{ channel }}_sends,
    cast(sum({{ channel }}_opens) as bigint) as {{ channel }}_opens,
    {% endfor -%}
    cast(sum(engagements) as bigint) as engagements,
    {{ latest('case when engagements > 0 then hour_of_day end', 'engagements') }} as best_hour
from by_hour
group by user_key
