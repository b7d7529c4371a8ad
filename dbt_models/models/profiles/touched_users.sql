-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('user_keys') }}, {{ ref('user_activity_hourly') }}
{# The profiles that this build makes anew: those whose events, user, links or names changed, each found by comparing
   what is there with what should be, so that a build that broke off is made up for by the next. #}
{% set built = adapter.get_relation(this.database, this.schema, 'user_profiles') if execute else none %}
{% if built and not flags.FULL_REFRESH %}
with span as (select * from {{ ref('build_span') }}),

users as (select user_key, _load_id from {{ source('streams', 'iterable_users') }} where _current and user_key is not null),

moved as (
    select parts.user_key as left_behind, links.user_key
    from (select user_key, {{ elements('_raw_keys') }} as raw_key from {{ built }}) as parts
    full join {{ ref('user_keys') }} as links on parts.raw_key = links.raw_key
    where parts.user_key is null or links.user_key is null or links.user_key <> parts.user_key
),

active as (
    select user_key as raw_key from {{ ref('user_activity_hourly') }} where {{ changed_since_the_last_build('hour', '_load_id') }}
),

{% for name, table in [('campaign', 'campaigns'), ('template', 'templates'), ('workflow', 'journeys')] -%}
renamed_{{ name }}s as (
    select profiles.user_key
    from (select user_key, {{ elements('_unnamed_' ~ name ~ 's') }} as id from {{ built }}) as profiles
    inner join {{ source('objects', table) }} as named on profiles.id = cast(named.id as {{ dbt.type_string() }})
    where named._load_id > (select built_from from span)
),

{% endfor -%}
touched as (
    select links.user_key from active inner join {{ ref('user_keys') }} as links using (raw_key)
    union all
    -- keys that belong to another profile now: the one they left, and the one they came to
    select left_behind from moved where left_behind is not null
    union all
    select user_key from moved where user_key is not null
    union all
    select user_key from users where _load_id > (select built_from from span)
    union all
    select users.user_key from users left join {{ built }} as profiles using (user_key) where profiles.user_key is null
    union all
    select profiles.user_key from {{ built }} as profiles left join users using (user_key)
    where profiles._has_user and users.user_key is null
    {% for name in ['campaign', 'template', 'workflow'] -%}
    union all
    select user_key from renamed_{{ name }}s
    {% endfor %}
)

select distinct user_key from touched
{% else %}
select user_key from {{ ref('user_keys') }}
union
select user_key from {{ source('streams', 'iterable_users') }} where _current and user_key is not null
{% endif %}
