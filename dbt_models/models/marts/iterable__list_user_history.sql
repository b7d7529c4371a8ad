{# Who is, and was, on which list: one row each time a person joins. A person who is on a list by two names is on it once,
   as long as either of them is. #}
with members as (
    select list_id, user_key as raw_key, joined_at, left_at, source from {{ source('objects', 'list_members') }}
),

raw_keys as (
    select distinct raw_key, raw_key as itbl_user_id from members
),

{{ links_of('raw_keys') }},

stays as (
    select
        members.list_id,
        -- events may tell more of a name than users do
        coalesce(user_keys.user_key, links.user_key) as user_key,
        members.joined_at,
        members.left_at,
        coalesce(members.left_at, timestamp '9999-12-31 00:00:00') as ended_at,
        members.source
    from members
    inner join links on members.raw_key = links.raw_key
    left join {{ ref('user_keys') }} as user_keys on members.raw_key = user_keys.raw_key
),

ordered as (
    select
        *,
        max(ended_at) over (
            partition by list_id, user_key order by joined_at, ended_at, source nulls last
            rows between unbounded preceding and 1 preceding
        ) as ended_before
    from stays
),

numbered as (
    select
        *,
        sum(case when joined_at <= ended_before then 0 else 1 end) over (
            partition by list_id, user_key order by joined_at, ended_at, source nulls last
            rows between unbounded preceding and current row
        ) as stay
    from ordered
),

intervals as (
    select
        list_id,
        user_key,
        min(joined_at) as joined_at,
        case when count(left_at) = count(*) then max(left_at) end as left_at,
        min(source) as source
    from numbered
    group by list_id, user_key, stay
)

select
    intervals.user_key as unique_user_key,
    people.it_user_id as user_id,
    people.email as user_email,
    people.first_name as user_first_name,
    people.last_name as user_last_name,
    people.signup_date as user_signup_date,
    users.signup_source as user_signup_source,
    people.profile_updated_at as user_updated_at,
    intervals.list_id,
    lists.name as list_name,
    lists.list_type,
    lists.description as list_description,
    lists.created_at as list_created_at,
    intervals.joined_at,
    intervals.left_at,
    intervals.left_at is null as is_current,
    intervals.source
from intervals
left join {{ ref('user_profiles') }} as people on intervals.user_key = people.user_key
left join {{ source('streams', 'iterable_users') }} as users on intervals.user_key = users.user_key and users._current
left join {{ source('objects', 'lists') }} as lists on intervals.list_id = lists.id
