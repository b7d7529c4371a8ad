{# Every event of every activity stream, with the names of what it is about. A view: streams replace their hours as late
   and corrected rows come in, names and people change, and all of it shows here at once, without anything stored twice. #}
with events as (
    {% for stream in var('streams') -%}
    select
        event_id, data_type, '{{ stream['name'] }}' as stream, user_key, email, user_id, created_at, event_name, message_id,
        campaign_id, template_id, message_type_id, channel_id, content_id, experiment_id, workflow_id, experience_id,
        campaign_name, template_name, workflow_name, record, {{ event_hour() }} as _hour, _source, _loaded_at,
        {{ 'total' if 'total' in stream['columns'] else 'cast(null as double)' }} as total
    from {{ source('streams', stream['name']) }}
    {{ 'union all' if not loop.last }}
    {% else %}
    select null as user_key where false
    {% endfor %}
)

select
    events.event_id as unique_event_id,
    events.data_type as event_name,
    events.event_name as custom_event_name,
    events.stream,
    events.created_at,
    cast(events.created_at as date) as created_on,
    coalesce(links.user_key, events.user_key) as unique_user_key,
    coalesce({{ normal_email('events.email') }}, people.email) as email,
    coalesce(people.it_user_id, nullif(events.user_id, '')) as user_id,
    {{ full_name('people') }} as user_full_name,
    events.campaign_id,
    coalesce(campaigns.name, events.campaign_name) as campaign_name,
    campaigns.type as campaign_type,
    coalesce(campaigns.is_recurring, false) as is_campaign_recurring,
    campaigns.recurring_campaign_id,
    campaigns.recurring_campaign_name,
    coalesce(events.template_id, campaigns.template_id) as template_id,
    coalesce(templates.name, events.template_name) as template_name,
    templates.creator_user_id as template_creator_user_id,
    coalesce(events.message_type_id, templates.message_type_id) as message_type_id,
    message_types.name as message_type_name,
    coalesce(events.channel_id, message_types.channel_id) as channel_id,
    channels.name as channel_name,
    channels.channel_type,
    coalesce(channels.message_medium, campaigns.message_medium) as message_medium,
    coalesce(events.workflow_id, campaigns.workflow_id) as workflow_id,
    coalesce(journeys.name, events.workflow_name) as workflow_name,
    events.message_id,
    events.content_id,
    events.experiment_id,
    events.experience_id,
    events.total as purchase_revenue,
    {% for column, field in var('event_fields').items() -%}
    {{ record_field('events.record', field) }} as {{ column }},
    {% endfor -%}
    events.record as additional_properties,
    events._hour,
    events._source,
    events._loaded_at
from events
left join {{ ref('user_keys') }} as links on events.user_key = links.raw_key
left join {{ ref('user_profiles') }} as people on coalesce(links.user_key, events.user_key) = people.user_key
left join {{ ref('campaign_names') }} as campaigns on events.campaign_id = campaigns.campaign_id
left join {{ source('objects', 'templates') }} as templates on coalesce(events.template_id, campaigns.template_id) = templates.id
left join {{ source('objects', 'message_types') }} as message_types
    on coalesce(events.message_type_id, templates.message_type_id) = message_types.id
left join {{ source('objects', 'channels') }} as channels on coalesce(events.channel_id, message_types.channel_id) = channels.id
left join {{ source('objects', 'journeys') }} as journeys on coalesce(events.workflow_id, campaigns.workflow_id) = journeys.id
