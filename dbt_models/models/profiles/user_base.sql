-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}
{{ config(materialized='sliced', unique_key='user_key') }}
{# One row per user with everything older than the tail of 48 hours. Hours that leave the tail are merged into the rows
   of their users; partial rows of an old hour that changed rebuild the rows of their users from all partial rows. #}
{% set tail_start = moment_of_span('tail_start') %}
{% if is_built() %}
{% set rebuilds = old_hours_changed() %}
with {% if rebuilds -%}
rebuilt as (
    select distinct partial.user_key
    from {{ ref('user_activity_hourly') }} as partial
    where
        {{ changed_since_the_last_build('partial.hour', 'partial._load_id') }}
        and partial.hour < {{ tail_start }}
        and {{ in_slice_of_users('partial.user_key') }}
),

{% endif -%}
moved_on as (
    select partial.*
    from {{ ref('user_activity_hourly') }} as partial
    where
        partial.hour >= {{ moment_of_span('previous_tail_start') }} and partial.hour < {{ tail_start }}
        and {{ in_slice_of_users('partial.user_key') }}
        {{ 'and partial.user_key not in (select user_key from rebuilt)' if rebuilds }}
),

pieces as (
    {% if rebuilds -%}
    select {{ base_columns('partial', 'partial.hour + interval 1 hour') }}
    from {{ ref('user_activity_hourly') }} as partial
    where partial.hour < {{ tail_start }} and partial.user_key in (select user_key from rebuilt)
    union all
    {% endif -%}
    select {{ base_columns('moved_on', 'moved_on.hour + interval 1 hour') }}
    from moved_on
    -- an attempt that did not finish may have merged this hour already
    left join {{ this }} as base on moved_on.user_key = base.user_key
    where base.user_key is null or moved_on.hour >= base.merged_to
    union all
    select {{ base_columns('base', 'base.merged_to') }}
    from {{ this }} as base
    where base.user_key in (select user_key from moved_on)
),
{% else %}
with pieces as (
    select {{ base_columns('partial', 'partial.hour + interval 1 hour') }}
    from {{ ref('user_activity_hourly') }} as partial
    where partial.hour < {{ tail_start }} and {{ in_slice_of_users('partial.user_key') }}
),
{% endif %}

{{ merge_pieces('pieces') }}

select * from merged
