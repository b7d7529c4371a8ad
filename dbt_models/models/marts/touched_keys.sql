-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('user_activity_hourly') }}, {{ ref('user_keys') }}
{{ config(materialized='table') }}
{# The raw keys whose last 30 days this build counts anew: those whose hours changed, and those of whom an hour that was
   counted is older than that by now. Where the newest hours were taken back, what has left the 30 days may be in again.
   A table, so that the engine knows how few they are. #}
{% set built = adapter.get_relation(this.database, this.schema, 'recent_activity') if execute else none %}
{% set start = days_back(30) %}
{% if built and not flags.FULL_REFRESH and single('select count(*) from ' ~ built ~ ' where counted_from > ' ~ start) == 0 %}
select user_key from {{ ref('user_activity_hourly') }} where {{ changed_since_the_last_build('hour', '_load_id', 'marts_built_from') }}
union
select user_key from {{ built }} where oldest_hour < {{ start }}
{% else %}
select raw_key as user_key from {{ ref('user_keys') }}
{% endif %}
