-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('user_keys') }}, {{ ref('user_activity_hourly') }}
{{ config(materialized='table') }}
{# The people whose campaigns this build counts anew: those whose events changed, and those who gained or lost a raw key.
   Links are found by comparing what is there with what should be: a build that broke off is made up for by the next.
   `whole` are those who may have lost something by it, so that every campaign of theirs is counted. What no finished build
   has seen, and is as it was first written, only adds: then it is the campaigns of what came. #}
{% set built = adapter.get_relation(this.database, this.schema, 'user_campaign_activity') if execute else none %}
{% if built and not flags.FULL_REFRESH %}
with active as (
    select
        user_key as raw_key,
        coalesce(_first_load_id, -1) < _load_id or (select marts_built_from from {{ ref('build_span') }}) < 0 as whole
    from {{ ref('user_activity_hourly') }}
    where {{ changed_since_the_last_build('hour', '_load_id', 'marts_built_from') }}
),

-- keys that are somebody else's now: few, while the rows are as many as people and their campaigns
parts as (
    select user_key, user_key as raw_key from {{ built }}
    where events > 0 and user_key in (select raw_key from {{ ref('user_keys') }} where raw_key <> user_key)
    union
    select user_key, raw_key
    from (
        select user_key, {{ elements('_other_keys') }} as raw_key from {{ built }}
        where events > 0 and {{ length_of('_other_keys') }} > 0
    ) as spread
),

moved as (
    select parts.user_key as left_behind, links.user_key
    from parts
    inner join {{ ref('user_keys') }} as links on parts.raw_key = links.raw_key
    where parts.user_key <> links.user_key
),

touched as (
    select links.user_key, active.whole from active inner join {{ ref('user_keys') }} as links on active.raw_key = links.raw_key
    union all
    select left_behind, true from moved
    union all
    select user_key, true from moved
)

select user_key, bool_or(whole) as whole from touched group by user_key
{% else %}
select distinct user_key, true as whole from {{ ref('user_keys') }}
{% endif %}
