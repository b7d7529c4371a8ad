-- depends_on: {{ ref('recent_activity') }}, {{ ref('user_keys') }}, {{ ref('user_profiles') }}
{{ config(materialized='table') }}
{# How many messages of each channel a person was sent for each that they opened, over 30 days; all of them where none
   was opened. #}
{% set channels = fatigue_channels() %}
with by_person as (
    select
        links.user_key,
        {% for channel in channels -%}
        sum({{ channel }}_sends) as {{ channel }}_sends,
        greatest(sum({{ channel }}_opens), 1) as {{ channel }}_opens{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('recent_activity') }} as recent
    inner join {{ ref('user_keys') }} as links on recent.user_key = links.raw_key
    where {% for channel in channels %}{{ channel }}_sends > 0 or {{ channel }}_opens > 0{{ ' or ' if not loop.last }}{% endfor %}
    group by links.user_key
)

select
    people.user_key,
    people.email,
    people.it_user_id as user_id
    {%- for channel in channels %},
    case when {{ channel }}_sends > 0 then {{ rounded('cast(' ~ channel ~ '_sends as double) / ' ~ channel ~ '_opens') }} end as {{ channel }}_fatigue
    {%- endfor %}
from by_person
inner join {{ ref('user_profiles') }} as people on by_person.user_key = people.user_key
where {% for channel in channels %}{{ channel }}_sends > 0{{ ' or ' if not loop.last }}{% endfor %}
