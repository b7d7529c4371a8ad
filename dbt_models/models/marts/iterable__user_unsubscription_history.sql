{# When each person left a channel or message type, and came back: from the events of leaving and joining, and from what
   the user's record says now. The record is one more statement, made when the profile was last updated. #}
{% set kinds = {'channel': 'unsubscribedChannelIds', 'message_type': 'unsubscribedMessageTypeIds'} %}
with told as (
    select
        coalesce(links.user_key, events.user_key) as user_key,
        events.created_at as told_at,
        events.event_id,
        events.data_type = 'emailUnSubscribe' as is_off,
        {{ record_field('events.record', 'unsubSource') }} as unsub_source,
        events.campaign_id,
        {{ json_texts(record_field('events.record', 'channelIds')) }} as channels,
        {{ json_texts(record_field('events.record', 'messageTypeIds')) }} as message_types
    from {{ source('streams', 'iterable_activity') }} as events
    left join {{ ref('user_keys') }} as links on events.user_key = links.raw_key
    where
        events.data_type in ('emailSubscribe', 'emailUnSubscribe')
        and events.created_at is not null and events.user_key is not null
),

users as (
    select
        user_key,
        coalesce(profile_updated_at, _fetched_at) as told_at,
        {% for kind, field in kinds.items() -%}
        {{ record_field('record', field) }} is not null as says_{{ kind }}s,
        {{ json_texts(record_field('record', field)) }} as {{ kind }}s,
        {% endfor -%}
        {{ json_texts(record_field('record', 'subscribedMessageTypeIds')) }} as subscribed
    from {{ source('streams', 'iterable_users') }}
    where _current and user_key is not null
),

by_events as (
    {% for kind in kinds -%}
    select user_key, '{{ kind }}' as kind, {{ elements(kind ~ 's') }} as id, told_at, is_off, event_id, unsub_source, campaign_id from told
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

off_by_record as (
    {% for kind in kinds -%}
    select distinct user_key, '{{ kind }}' as kind, told_at, id
    from (select user_key, told_at, {{ elements(kind ~ 's') }} as id from users) as spread
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- what the record does not name any more, although it names the others, was taken back
on_by_record as (
    {% for kind in kinds -%}
    select by_events.user_key, by_events.kind, users.told_at, by_events.id
    from by_events
    inner join users on by_events.user_key = users.user_key
    where by_events.kind = '{{ kind }}' and users.says_{{ kind }}s
    union
    {% endfor -%}
    select user_key, 'message_type' as kind, told_at, id
    from (select user_key, told_at, {{ elements('subscribed') }} as id from users) as spread
),

statements as (
    select user_key, kind, {{ whole('id') }} as id, told_at, is_off, 0 as later, event_id, unsub_source, campaign_id from by_events
    union all
    select user_key, kind, {{ whole('id') }}, told_at, true, 1, null, null, null from off_by_record
    union all
    select on_by_record.user_key, on_by_record.kind, {{ whole('on_by_record.id') }}, on_by_record.told_at, false, 1, null, null, null
    from on_by_record
    left join off_by_record
        on on_by_record.user_key = off_by_record.user_key and on_by_record.kind = off_by_record.kind
        and {{ whole('on_by_record.id') }} = {{ whole('off_by_record.id') }}
    where off_by_record.id is null
),

compared as (
    select
        *,
        lag(is_off) over (partition by user_key, kind, id order by told_at, later, is_off, event_id nulls last) as was_off
    from statements
    where id is not null
),

changes as (
    select *, lead(told_at) over (partition by user_key, kind, id order by told_at, later, is_off, event_id nulls last) as next_at
    from compared
    where is_off <> coalesce(was_off, false)
)

select
    {{ row_id(['changes.kind', 'changes.id', 'changes.told_at', 'changes.user_key']) }} as unique_unsubscription_id,
    changes.user_key as unique_user_key,
    changes.kind = 'channel' as is_unsubscribed_channel_wide,
    case when changes.kind = 'channel' then changes.id else message_types.channel_id end as channel_id,
    channels.name as channel_name,
    channels.channel_type,
    channels.message_medium,
    case when changes.kind = 'message_type' then changes.id end as message_type_id,
    message_types.name as message_type_name,
    changes.told_at as unsubscribed_at,
    changes.next_at as resubscribed_at,
    changes.next_at is null as is_current,
    case when changes.later = 0 then 'event' else 'user' end as source,
    changes.unsub_source,
    changes.campaign_id
from changes
left join {{ source('objects', 'message_types') }} as message_types
    on changes.kind = 'message_type' and changes.id = message_types.id
left join {{ source('objects', 'channels') }} as channels
    on case when changes.kind = 'channel' then changes.id else message_types.channel_id end = channels.id
where changes.is_off
