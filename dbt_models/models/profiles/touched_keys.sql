-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}, {{ ref('user_activity_hourly') }}, {{ ref('user_keys') }}
{# The raw keys whose last 30 days this build counts anew: those whose hours changed, and those of whom an hour that was
   counted is older than that by now. A table, so that the engine knows how few they are. #}
{% set built = adapter.get_relation(this.database, this.schema, 'recent_activity') if execute else none %}
{# where the newest hours were taken back, so is the start of the thirty days: what has left them may be in again #}
{% set forward = single('select ' ~ as_of() ~ ' - interval 49 hour >= ' ~ moment_of_span('previous_tail_start')) if built else false %}
{% if built and forward and not flags.FULL_REFRESH %}
select user_key from {{ ref('user_activity_hourly') }} where {{ changed_since_the_last_build('hour', '_load_id') }}
union
select user_key from {{ built }} where not ({{ in_last_days('oldest_hour', 30) }})
{% else %}
select raw_key as user_key from {{ ref('user_keys') }}
{% endif %}
