{# What each person did with each campaign. A view over the counts: names and metrics that change need no new count. #}
select
    activity.unique_user_campaign_id,
    activity.user_key as unique_user_key,
    people.it_user_id as user_id,
    people.email as user_email,
    {{ full_name('people') }} as user_full_name,
    activity.campaign_id,
    activity.experiment_id,
    case when activity.campaign_id is null then 'organic' else coalesce(campaigns.name, activity.campaign_name) end as campaign_name,
    coalesce(campaigns.template_id, activity.template_id) as template_id,
    coalesce(templates.name, activity.template_name) as template_name,
    campaigns.recurring_campaign_id,
    campaigns.recurring_campaign_name,
    activity.first_event_at,
    activity.last_event_at,
    activity.first_open_or_click_event_at,
    activity.events as count_events,
    {% for name in var('mart_metrics') -%}
    activity.{{ total_of(name) }},
    {% endfor -%}
    cast(activity.purchase_revenue as double) as purchase_revenue
from {{ ref('user_campaign_activity') }} as activity
left join {{ ref('user_profiles') }} as people on activity.user_key = people.user_key
left join {{ ref('campaign_names') }} as campaigns on activity.campaign_id = campaigns.campaign_id
left join {{ source('objects', 'templates') }} as templates
    on coalesce(campaigns.template_id, activity.template_id) = templates.id
where activity.events > 0
