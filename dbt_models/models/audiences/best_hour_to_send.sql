-- depends_on: {{ ref('user_activity_hourly') }}, {{ ref('user_keys') }}, {{ ref('user_profiles') }}
{{ config(materialized='table') }}
{# The hour of the day, UTC, in which a person opened and clicked most over 30 days, of equal ones the later; NULL for who
   did so less than three times. #}
{% set engaged = ['opened', 'clicked'] %}
with by_raw_key as (
    select user_key as raw_key, {{ hour_of_day('hour') }} as hour_of_day, {{ count_of(names_of_steps(engaged)) }} as engagements
    from {{ ref('user_activity_hourly') }}
    where events > 0 and {{ in_last_days('hour', 30) }}
    group by user_key, {{ hour_of_day('hour') }}
),

by_person as (
    select links.user_key, hour_of_day, sum(engagements) as engagements
    from by_raw_key
    inner join {{ ref('user_keys') }} as links using (raw_key)
    where engagements > 0
    group by links.user_key, hour_of_day
),

-- one number, which compares like the pair
best as (
    select user_key, sum(engagements) as engagements, max(engagements * 100 + hour_of_day) % 100 as hour_of_day
    from by_person
    group by user_key
)

select
    people.user_key,
    people.email,
    people.it_user_id as user_id,
    case when best.engagements >= 3 then cast(best.hour_of_day as bigint) end as best_hour_to_send
from best
inner join {{ ref('user_profiles') }} as people on best.user_key = people.user_key
