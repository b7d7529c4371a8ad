-- depends_on: {{ ref('user_activity_hourly') }}, {{ ref('touched_keys') }}
{{ config(materialized='sliced', unique_key='user_key', meta={'gone': 'oldest_hour is null'}) }}
{# One row per raw key with what it did within 30 days: messages of each channel sent and opened, and openings and clicks by
   hour of the day. Where nothing is left, the row leaves. #}
{% set start = days_back(30) %}
with partial as (
    select
        user_key, hour, {{ hour_of_day('hour') }} as hour_of_day,
        {% for channel, (sent, opened) in fatigue_channels().items() -%}
        {{ events_of([sent]) }} as {{ channel }}_sends,
        {{ events_of([opened]) }} as {{ channel }}_opens,
        {% endfor -%}
        {{ events_of(names_of_steps(['opened', 'clicked'])) }} as engagements
    from {{ ref('user_activity_hourly') }}
    where
        events > 0 and hour >= {{ start }}
        -- the slice is one of the few keys: a condition of its own would have the engine take these for the many
        and {{ 'user_key in (select user_key from ' ~ ref('touched_keys') ~ ' where ' ~ in_slice_of_users('user_key') ~ ')' if is_built() else in_slice_of_users('user_key') }}
),

counted as (
    select
        user_key,
        {{ start }} as counted_from,
        min(hour) as oldest_hour,
        {% for channel in fatigue_channels() -%}
        cast(sum({{ channel }}_sends) as bigint) as {{ channel }}_sends,
        cast(sum({{ channel }}_opens) as bigint) as {{ channel }}_opens,
        {% endfor -%}
        {% for hour in range(24) -%}
        cast(sum(case when hour_of_day = {{ hour }} then engagements else 0 end) as bigint) as engagements_at_{{ hour }}{{ ',' if not loop.last }}
        {% endfor %}
    from partial
    group by user_key
)

select * from counted
union all
select
    user_key, {{ start }} as counted_from, null as oldest_hour, {{ (['0'] * (2 * fatigue_channels() | length + 24)) | join(', ') }}
from {{ ref('touched_keys') }}
where {{ in_slice_of_users('user_key') }} and user_key not in (select user_key from counted)
