{# The campaigns that Iterable lists, or has listed, with what they are called and belong to, for the marts to join. #}
with listed as (
    select * from {{ source('objects', 'campaigns') }}
),

parents as (
    select distinct recurring_campaign_id as id from listed where recurring_campaign_id is not null
)

select
    listed.id as campaign_id,
    listed.name,
    listed.type,
    listed.campaign_state,
    listed.message_medium,
    listed.template_id,
    listed.workflow_id,
    listed.send_size,
    listed.start_at,
    listed.ended_at,
    listed.created_at,
    listed.updated_at,
    listed.created_by_user_id,
    cast(listed.labels as {{ dbt.type_string() }}) as labels,
    cast(listed.list_ids as {{ dbt.type_string() }}) as list_ids,
    cast(listed.suppression_list_ids as {{ dbt.type_string() }}) as suppression_list_ids,
    coalesce(listed.campaign_state = 'Recurring', false) or parents.id is not null as is_recurring,
    listed.recurring_campaign_id,
    recurring.name as recurring_campaign_name,
    recurring.campaign_state as recurring_campaign_state,
    recurring.send_size as recurring_campaign_send_size,
    recurring.start_at as recurring_campaign_start_at
from listed
left join parents on listed.id = parents.id
left join listed as recurring on listed.recurring_campaign_id = recurring.id
