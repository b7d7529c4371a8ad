-- depends_on: {{ source('streams', 'loads') }} {{ source('streams', 'webhook_loads') }} {% for stream in var('streams') %}{{ source('streams', stream['name']) }} {% endfor %}
{# One row: the loads this build is about, from the last one that a finished build has seen up to the newest of now.
   The finished builds are looked up by hand: a ref would make a circle. One of another configuration
   does not count: what the columns are made of has changed for everybody. #}
{% set finished = adapter.get_relation(this.database, 'marts', 'builds') if execute else none %}
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
        {% if finished and not flags.FULL_REFRESH -%}
        (select coalesce(max(built_to), -1) from {{ finished }} where configuration = '{{ configuration() }}')
        {%- else -%}
        -1
        {%- endif %} as built_from,
        (select coalesce(max(load_id), 0) from newest) as built_to,
        {% if finished and not flags.FULL_REFRESH -%}
        (select max(tail_start) from {{ finished }})
        {%- else -%}
        cast(null as timestamp)
        {%- endif %} as previous_tail_start,
        (
            select max(hour) - interval 48 hour from {{ activity_loads() }} as loads
        ) as newest_tail_start
)

select
    built_from,
    built_to,
    coalesce(previous_tail_start, timestamp '0001-01-01 00:00:00') as previous_tail_start,
    -- the base is never taken apart again: its end moves forward only
    greatest(
        coalesce(newest_tail_start, timestamp '0001-01-01 00:00:00'),
        coalesce(previous_tail_start, timestamp '0001-01-01 00:00:00')
    ) as tail_start
from span
