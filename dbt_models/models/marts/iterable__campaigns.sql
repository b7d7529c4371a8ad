{# Every campaign, by experiment where there is one: those that Iterable lists, with events or not, and those that only
   events speak of. #}
select
    {{ row_id(['coalesce(campaigns.campaign_id, activity.campaign_id)', 'activity.experiment_id']) }} as unique_campaign_version_id,
    coalesce(campaigns.campaign_id, activity.campaign_id) as campaign_id,
    activity.experiment_id,
    coalesce(campaigns.name, activity.campaign_name) as campaign_name,
    campaigns.campaign_id is not null as is_listed,
    campaigns.campaign_state,
    campaigns.type as campaign_type,
    campaigns.send_size,
    campaigns.start_at,
    campaigns.ended_at,
    campaigns.created_at,
    campaigns.updated_at,
    campaigns.created_by_user_id,
    coalesce(campaigns.is_recurring, false) as is_campaign_recurring,
    campaigns.recurring_campaign_id,
    campaigns.recurring_campaign_name,
    campaigns.recurring_campaign_state,
    campaigns.recurring_campaign_send_size,
    campaigns.recurring_campaign_start_at,
    {{ length_of(json_texts('campaigns.list_ids')) }} as count_send_lists,
    {{ length_of(json_texts('campaigns.suppression_list_ids')) }} as count_suppress_lists,
    nullif({{ joined(json_texts('campaigns.labels'), ', ') }}, '') as labels,
    coalesce(campaigns.template_id, activity.template_id) as template_id,
    coalesce(templates.name, activity.template_name) as template_name,
    templates.creator_user_id as template_creator_user_id,
    templates.message_type_id,
    message_types.name as message_type_name,
    message_types.channel_id,
    channels.name as channel_name,
    channels.channel_type,
    coalesce(campaigns.message_medium, channels.message_medium) as message_medium,
    campaigns.workflow_id,
    journeys.name as workflow_name,
    coalesce(activity.count_unique_users, 0) as count_unique_users,
    coalesce(activity.events, 0) as count_events,
    activity.first_event_at,
    activity.last_event_at,
    {% for name in var('mart_metrics') -%}
    coalesce(activity.{{ total_of(name) }}, 0) as {{ total_of(name) }},
    coalesce(activity.unique_{{ total_of(name) }}, 0) as unique_{{ total_of(name) }},
    {% endfor -%}
    coalesce(cast(activity.purchase_revenue as double), 0) as purchase_revenue
from {{ ref('campaign_names') }} as campaigns
full outer join {{ ref('campaign_activity') }} as activity on campaigns.campaign_id = activity.campaign_id
left join {{ source('objects', 'templates') }} as templates on coalesce(campaigns.template_id, activity.template_id) = templates.id
left join {{ source('objects', 'message_types') }} as message_types on templates.message_type_id = message_types.id
left join {{ source('objects', 'channels') }} as channels on message_types.channel_id = channels.id
left join {{ source('objects', 'journeys') }} as journeys on campaigns.workflow_id = journeys.id
