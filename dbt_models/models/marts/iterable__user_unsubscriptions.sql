{# What each person is unsubscribed from now, by message type: a channel stands once for each message type that it
   has now, and by itself where it has none. Who left one of them by name, too, has a row for that beside it. #}
select
    {{ row_id(['history.is_unsubscribed_channel_wide', 'history.channel_id', 'coalesce(history.message_type_id, message_types.id)', 'history.unique_user_key']) }}
        as unique_unsubscription_id,
    history.unique_user_key,
    history.channel_id,
    coalesce(history.message_type_id, message_types.id) as message_type_id,
    history.unsubscribed_at as updated_at,
    history.channel_name,
    coalesce(history.message_type_name, message_types.name) as message_type_name,
    history.channel_type,
    history.message_medium,
    history.is_unsubscribed_channel_wide,
    history.source,
    history.unsub_source,
    history.campaign_id
from {{ ref('iterable__user_unsubscription_history') }} as history
left join {{ source('objects', 'message_types') }} as message_types
    on history.is_unsubscribed_channel_wide and history.channel_id = message_types.channel_id and message_types._gone_at is null
where history.is_current
