-- depends_on: {{ ref('build_span') }}, {{ ref('changed_hours') }}
{{ config(materialized='sliced', unique_key=['hour', 'user_key']) }}
{# One row per user and hour, recomputed for everybody of a changed hour, or for those of whom events were added. A user whose events left the hour stays with
   a row of zeros: an hour without rows would leave its old version where it is, and nobody downstream would learn of it.
   `_load_id` says since which loads a row is what it is: a late event in a full hour touches one user, not all of them. #}
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

per_type as (
    select
        user_key,
        _hour,
        data_type,
        count(*) as events,
        min(created_at) as first_at,
        max(created_at) as last_at
    from events
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
    select
        user_key,
        _hour as hour,
        {{ set_of('campaign_id', 'true') }} as campaigns,
        {{ set_of('template_id', 'true') }} as templates,
        {{ set_of('channel_id', 'true') }} as channels,
        {{ set_of('message_type_id', 'true') }} as message_types,
        {{ set_of('workflow_id', 'true') }} as workflows,
        {{ set_of('message_id', "stream = 'iterable_push_activity'") }} as push_messages,
        {% for name in ['campaign', 'template', 'workflow'] -%}
        {{ set_of(name ~ '_name', 'true') }} as {{ name }}_names,
        {{ set_of(name ~ '_id', name ~ '_name is null') }} as unnamed_{{ name }}s,
        {% endfor -%}
        {{ count_map("coalesce(nullif(experience_id, ''), cast(campaign_id as " ~ dbt.type_string() ~ '))', 'data_type in (' ~ data_types_with('impression') ~ ')') }} as impressions,
        {{ count_map("coalesce(nullif(experience_id, ''), cast(campaign_id as " ~ dbt.type_string() ~ '))', 'data_type in (' ~ data_types_with('conversion') ~ ')') }} as conversions,
        {{ count_map(hour_of_day('created_at'), "stream = 'iterable_push_activity'") }} as push_hours_of_day,
        {{ count_map(hour_of_week('created_at'), "stream = 'iterable_push_activity'") }} as push_hours_of_week,
        {{ count_map(yymm('created_at'), "stream = 'iterable_push_activity'") }} as push_months,
        {{ count_map('event_name', "data_type = 'customEvent'") }} as custom_events,
        {{ latest('coalesce(deeplink_ios, deeplink_android)', 'created_at') }} as push_deeplink,
        max(created_at) filter (where coalesce(deeplink_ios, deeplink_android) is not null) as push_deeplink_at,
        {{ latest("case when stream = 'iterable_sms_activity' then to_phone_number end", 'created_at') }} as phone,
        max(created_at) filter (where to_phone_number is not null and stream = 'iterable_sms_activity') as phone_at,
        {{ exact_sum(money('total')) }} as purchase_revenue,
        max(email) as email,
        max(user_id) as user_id,
        max(itbl_user_id) as itbl_user_id,
        {{ digest_of(counted_columns()) }} as digest
    from events
    group by user_key, _hour
),

present as (
    select
        counted.user_key, counted.hour, counted.events, counted.counts, described.digest, counted.first_at, counted.last_at,
        {% for name in activity_sets() + activity_maps() -%}
        described.{{ name }},
        {% endfor -%}
        described.push_deeplink, described.push_deeplink_at, described.phone, described.phone_at,
        cast(described.purchase_revenue as decimal(38, 6)) as purchase_revenue,
        described.email, described.user_id, described.itbl_user_id
    from counted
    inner join described on counted.user_key = described.user_key and counted.hour = described.hour
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
        {{ empty_map('bigint') }} as counts, null as digest, {{ empty_map('timestamp') }} as first_at, {{ empty_map('timestamp') }} as last_at,
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
    {%- endif %} as _load_id
from found
cross join {{ ref('build_span') }} as span
left join before on found.user_key = before.user_key and found.hour = before.hour
{%- else -%}
select present.*, span.built_to as _load_id
from present
cross join {{ ref('build_span') }} as span
{%- endif %}
