{{ config(materialized='incremental', incremental_strategy='append') }}
{# One row per finished build. It is written last: a build that broke off, or was of profiles alone, leaves none, and is
   made up for by the next. #}
-- depends_on: {{ ref('user_profiles') }}, {{ ref('campaign_activity') }}, {{ ref('recent_activity') }}
select built_to, tail_start, '{{ configuration() }}' as configuration, now() as finished_at from {{ ref('build_span') }}
