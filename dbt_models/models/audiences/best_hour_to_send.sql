-- depends_on: {{ ref('recent_activity') }}, {{ ref('user_keys') }}, {{ ref('user_profiles') }}
{{ config(materialized='table') }}
{# The hour of the day, UTC, in which a person opened and clicked most over 30 days, of equal ones the later; NULL for who
   did so less than three times. #}
{% set at = [] %}
{% for hour in range(24) %}{% do at.append('engagements_at_' ~ hour) %}{% endfor %}
with by_person as (
    select
        links.user_key,
        {% for column in at -%}
        sum({{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('recent_activity') }} as recent
    inner join {{ ref('user_keys') }} as links on recent.user_key = links.raw_key
    where {{ at | join(' + ') }} > 0
    group by links.user_key
),

-- one number, which compares like the pair
best as (
    select
        user_key,
        {{ at | join(' + ') }} as engagements,
        greatest({% for column in at %}{{ column }} * 100 + {{ loop.index0 }}{{ ', ' if not loop.last }}{% endfor %}) % 100 as hour_of_day
    from by_person
)

select
    people.user_key,
    people.email,
    people.it_user_id as user_id,
    case when best.engagements >= 3 then cast(best.hour_of_day as bigint) end as best_hour_to_send
from best
inner join {{ ref('user_profiles') }} as people on best.user_key = people.user_key
