{# Every person: who they are, which lists they are on, and what they did in all. A view over the profiles,
   and over the lists for those of whom nothing else is known. #}
with lists as (
    select unique_user_key, count(*) as count_lists, {{ json_numbers('list_id') }} as email_list_ids
    from {{ ref('iterable__list_user_history') }}
    where is_current
    group by unique_user_key
)

select
    coalesce(people.user_key, lists.unique_user_key) as unique_user_key,
    case when people.user_key is null and lists.unique_user_key like '%@%' then lists.unique_user_key else people.email end as email,
    people.it_user_id as user_id,
    people.first_name,
    people.last_name,
    people.signup_date,
    users.signup_source,
    people.profile_updated_at as updated_at,
    coalesce(users.phone_number, people.phone) as phone_number,
    coalesce(lists.email_list_ids, '[]') as email_list_ids,
    coalesce(lists.count_lists, 0) as count_lists,
    coalesce({{ length_of('people.it_campaigns') }}, 0) as count_total_campaigns,
    least({% for each in event_types() %}people.it_first_{{ each['profile'] }}_ts{{ ', ' if not loop.last }}{% endfor %}) as first_event_at,
    people.last_active_ts as last_event_at,
    coalesce(people._events, 0) as count_events,
    {% for each in event_types() if each['name'] in var('mart_metrics') -%}
    coalesce(people.it_{{ each['profile'] }}ct, 0) as {{ total_of(each['name']) }},
    {% endfor -%}
    coalesce(people.it_purchase_revenue, 0) as purchase_revenue,
    coalesce(people._has_user, false) as has_user_record
from {{ ref('user_profiles') }} as people
full outer join lists on people.user_key = lists.unique_user_key
left join {{ source('streams', 'iterable_users') }} as users on people.user_key = users.user_key and users._current
