{# Common table expressions that say which profile each raw key belongs to, the last of them named `links`: itself, unless
   exactly one user carries it as another identity. `raw_keys` has raw_key and itbl_user_id. #}
{% macro links_of(raw_keys) %}
users as (
    select user_key, nullif(user_id, '') as user_id, {{ normal_email('email') }} as email, nullif(itbl_user_id, '') as itbl_user_id
    from {{ source('streams', 'iterable_users') }}
    where _current and user_key is not null
),

-- a second name for exactly one person; what two people share says nothing
by_other_name as (
    select {{ 'email' if var('user_key_first') == 'user_id' else 'user_id' }} as name, min(user_key) as user_key
    from users
    group by 1
    having count(*) = 1
),

by_itbl_user_id as (
    select itbl_user_id, min(user_key) as user_key from users group by itbl_user_id having count(*) = 1
),

links as (
    select
        raw_keys.raw_key,
        coalesce(users.user_key, by_other_name.user_key, by_itbl_user_id.user_key, raw_keys.raw_key) as user_key
    from {{ raw_keys }} as raw_keys
    left join users on raw_keys.raw_key = users.user_key
    left join by_other_name on raw_keys.raw_key = by_other_name.name
    left join by_itbl_user_id on raw_keys.itbl_user_id = by_itbl_user_id.itbl_user_id
)
{% endmacro %}
