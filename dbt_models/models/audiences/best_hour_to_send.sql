{# The hour of the day, UTC, in which a person opens and clicks most; NULL for who did so less than three times. #}
select
    people.user_key,
    people.email,
    people.it_user_id as user_id,
    case when recent.engagements >= 3 then cast(recent.best_hour as bigint) end as best_hour_to_send
from {{ ref('recent_activity') }} as recent
inner join {{ ref('user_profiles') }} as people on recent.user_key = people.user_key
where recent.engagements > 0
