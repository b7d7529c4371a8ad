{# Which profile each raw key of an event belongs to: itself, unless exactly one user carries it as another identity. #}
with hints as (
    select user_key, itbl_user_id from {{ ref('user_base') }}
    union all
    select user_key, itbl_user_id from {{ ref('user_activity_hourly') }}
    where hour >= {{ moment_of_span('tail_start') }}
),

raw_keys as (
    select user_key as raw_key, max(itbl_user_id) as itbl_user_id from hints group by user_key
),

{{ links_of('raw_keys') }}

select raw_key, user_key from links
