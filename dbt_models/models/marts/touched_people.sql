-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('user_keys') }}, {{ ref('user_activity_hourly') }}
{{ config(materialized='table') }}
{# The people whose campaigns this build counts anew: those whose events changed, and those who gained or lost a raw key.
   `whole` are those who may have lost something by it, so that every campaign of theirs is counted. What nobody has counted
   yet only adds: then it is the campaigns of what came. Of the people of a build that broke off some may be counted already
   and others not: whom it counted as a whole is so again, since a link that moved can no longer be told from the rows. #}
{% set built = adapter.get_relation(this.database, this.schema, 'user_campaign_activity') if execute else none %}
{% if built and not flags.FULL_REFRESH %}
{% set marts_built_from = single('select marts_built_from from ' ~ ref('build_span')) %}
{% set remembers = commits_slices() and has_columns(this, ['whole', 'built_to', 'made_at']) %}
{% set builds = adapter.get_relation(this.database, this.schema, 'builds') %}
{#- the newest load that any build may have counted #}
{% set counted_to = [marts_built_from, single('select coalesce(max(built_to), -1) from ' ~ this)] | max if remembers else none %}
with active as (
    -- a row that is as it was first written comes to the same when it is counted twice
    select
        user_key as raw_key,
        coalesce(_first_load_id, -1) < _load_id
        {{ 'and coalesce(_first_load_id, -1) <= ' ~ counted_to if remembers }} as whole
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
    {% if remembers -%}
    union all
    select user_key, true from {{ this }}
    where whole {{ 'and made_at > (select max(finished_at) from ' ~ builds ~ ')' if builds }}
    {%- endif %}
)

select touched.user_key, bool_or(touched.whole or {{ marts_built_from }} < 0) as whole, max(span.built_to) as built_to, now() as made_at
from touched
cross join {{ ref('build_span') }} as span
group by touched.user_key
{% else %}
select links.user_key, true as whole, max(span.built_to) as built_to, now() as made_at
from {{ ref('user_keys') }} as links
cross join {{ ref('build_span') }} as span
group by links.user_key
{% endif %}
