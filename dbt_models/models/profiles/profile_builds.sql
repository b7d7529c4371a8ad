{{ config(materialized='incremental', incremental_strategy='append') }}
{# One row per build that has finished the profiles, with the marts or without them. #}
-- depends_on: {{ ref('user_profiles') }}
select built_to, tail_start, '{{ configuration() }}' as configuration, now() as finished_at from {{ ref('build_span') }}
