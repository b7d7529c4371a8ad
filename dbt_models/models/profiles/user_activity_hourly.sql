-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}
{{ config(materialized='sliced', unique_key=['hour', 'user_key']) }}
{# One row per user and hour, recomputed for everybody of a changed hour, or for those of whom events were added. A user whose events left the hour stays with
   a row of zeros: an hour without rows would leave its old version where it is, and nobody downstream would learn of it.
   `_load_id` says since which loads a row is what it is: a late event in a full hour touches one user, not all of them;
   `_first_load_id` since which it is there, zeros included: what is as it was first written has only added something.
   It is NULL in rows of before this was kept. #}
{% set stamped = has_columns(this, ['_load_id'] + partial_columns()) %}
{% set only_added = is_built() and stamped and replaces_rows() %}
{% set changed = in_changed_hours('_hour') ~ ' and ' ~ in_slice_of_hours('_hour') %}
with grown as (
    select hour from {{ ref('changed_hours') }} where not whole
),

added as (
    select distinct user_key, _hour as hour from {{ ref('activity') }}
    where
        _hour in (select hour from grown) and {{ changed }}
        and _load_id > (select built_from from {{ ref('build_span') }})
),

events as (
    select * from {{ ref('activity') }}
    where
        user_key is not null and {{ changed }}
        {{ 'and (_hour not in (select hour from grown) or (user_key, _hour) in (select user_key, hour from added))' if only_added }}
),

{% if splits_groups() -%}
-- most people do one thing in an hour
crowds as (
    select user_key, _hour, count(*) as events from events group by user_key, _hour
),

single as (
    select events.* from events
    inner join crowds on events.user_key = crowds.user_key and events._hour = crowds._hour
    where crowds.events = 1
),

several as (
    select events.* from events
    inner join crowds on events.user_key = crowds.user_key and events._hour = crowds._hour
    where crowds.events > 1
),

{% endif -%}
{% set several = 'several' if splits_groups() else 'events' -%}
per_type as (
    select
        user_key,
        _hour,
        data_type,
        count(*) as events,
        min(created_at) as first_at,
        max(created_at) as last_at
    from {{ several }}
    group by user_key, _hour, data_type
),

counted as (
    select
        user_key,
        _hour as hour,
        cast(sum(events) as bigint) as events,
        {{ value_map('data_type', 'cast(events as bigint)', 'bigint') }} as counts,
        {{ value_map('data_type', 'first_at', 'timestamp') }} as first_at,
        {{ value_map('data_type', 'last_at', 'timestamp') }} as last_at
    from per_type
    group by user_key, _hour
),

described as (
    select user_key, _hour as hour, {{ described_columns() }}
    from {{ several }}
    group by user_key, _hour
),

present as (
    select
        counted.user_key, counted.hour, counted.events, counted.counts, counted.first_at, counted.last_at,
        {% for name in described_names() -%}
        described.{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from counted
    inner join described on counted.user_key = described.user_key and counted.hour = described.hour
    {% if splits_groups() -%}
    union all
    select
        user_key, _hour as hour, cast(1 as bigint) as events,
        {{ value_map_one('data_type', 'cast(1 as bigint)', 'bigint') }} as counts,
        {{ value_map_one('data_type', 'created_at', 'timestamp') }} as first_at,
        {{ value_map_one('data_type', 'created_at', 'timestamp') }} as last_at,
        {{ described_columns('_one') }}
    from single
    {%- endif %}
)

{% if is_built() -%}
, before as (
    select * from {{ this }}
    where
        {{ in_changed_hours('hour') }} and {{ in_slice_of_hours('hour') }}
        {{ 'and (hour not in (select hour from grown) or (user_key, hour) in (select user_key, hour from added))' if only_added }}
),

found as (
    select * from present
    union all
    select
        before.user_key, before.hour, 0 as events,
        {{ empty_map('bigint') }} as counts, {{ empty_map('timestamp') }} as first_at, {{ empty_map('timestamp') }} as last_at,
        null as digest,
        {% for name in activity_sets() -%}
        {{ empty_set() }} as {{ name }},
        {% endfor -%}
        {% for name in activity_maps() -%}
        {{ empty_map('bigint') }} as {{ name }},
        {% endfor -%}
        null as push_deeplink, null as push_deeplink_at, null as phone, null as phone_at,
        0 as purchase_revenue, null as email, null as user_id, null as itbl_user_id
    from before
    left join present on before.user_key = present.user_key and before.hour = present.hour
    where present.user_key is null
)

select
    found.*,
    {% if stamped -%}
    case when {{ same_row('found', 'before', partial_columns()) }} then coalesce(before._load_id, span.built_to) else span.built_to end
    {%- else -%}
    span.built_to
    {%- endif %} as _load_id,
    case
        when before.user_key is null then span.built_to
        {{ 'else before._first_load_id' if has_columns(this, ['_first_load_id']) }}
    end as _first_load_id
from found
cross join {{ ref('build_span') }} as span
left join before on found.user_key = before.user_key and found.hour = before.hour
{%- else -%}
select present.*, span.built_to as _load_id, span.built_to as _first_load_id
from present
cross join {{ ref('build_span') }} as span
{%- endif %}
