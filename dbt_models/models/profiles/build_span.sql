-- depends_on: {{ source('streams', 'loads') }} {{ source('streams', 'webhook_loads') }} {% for stream in var('streams') %}{{ source('streams', stream['name']) }} {% endfor %}
{# One row: the loads this build is about, from the last one that a finished build has seen up to the newest of now.
   Profiles are built more often than marts, so that each has its own. The finished builds are looked up by hand: a ref
   would make a circle. One of another configuration does not count: what the columns are made of has changed for
   everybody. #}
{% set finished = {} %}
{% if execute and not flags.FULL_REFRESH %}
    {% for schema, name in [('profiles', 'profile_builds'), ('marts', 'builds')] %}
        {% set found = adapter.get_relation(this.database, schema, name) %}
        {% if found %}{% do finished.update({name: found}) %}{% endif %}
    {% endfor %}
{% endif %}
with newest as (
    select max(load_id) as load_id from {{ activity_loads() }} as loads
    union all
    select max(_load_id) from {{ source('streams', 'iterable_users') }}
    {% for name in ['campaigns', 'templates', 'journeys'] -%}
    union all
    select max(_load_id) from {{ source('objects', name) }}
    {% endfor %}
),

span as (
    select
        {{ newest_of_builds(finished.values(), 'built_to', -1) }} as built_from,
        {{ newest_of_builds([finished['builds']] if 'builds' in finished else [], 'built_to', -1) }} as marts_built_from,
        (select coalesce(max(load_id), 0) from newest) as built_to,
        {{ newest_of_builds(finished.values(), 'tail_start', "timestamp '0001-01-01 00:00:00'") }} as previous_tail_start,
        (
            select max(hour) - interval 48 hour from {{ activity_loads() }} as loads
        ) as newest_tail_start
)

select
    built_from,
    marts_built_from,
    built_to,
    previous_tail_start,
    -- the base is never taken apart again: its end moves forward only
    greatest(
        coalesce(newest_tail_start, timestamp '0001-01-01 00:00:00'),
        previous_tail_start
    ) as tail_start
from span
