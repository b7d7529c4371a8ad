{# What audiences are told from: one row per person, with when and how often they opened or clicked. A view: what a person
   did is in the profile already. #}
select
    people.user_key,
    people.email,
    people.it_user_id as user_id,
    {{ count_of_openable_sends('people') }} as openable_sends,
    {{ count_of_steps('people', ['opened', 'clicked']) }} as engagements,
    {{ newest_of_steps('people', ['opened', 'clicked']) }} as last_engaged_at,
    people.it_last_push_send_ts as last_push_sent_at,
    greatest(people.it_last_push_bounce_ts, people.it_last_push_uninstall_ts) as last_push_lost_at,
    {{ as_of() }} as as_of
from {{ ref('user_profiles') }} as people
