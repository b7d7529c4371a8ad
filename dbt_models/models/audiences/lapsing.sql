{# Who opened or clicked at some time, and for the last time 60 to 90 days ago. #}
select user_key, email, user_id, last_engaged_at
from {{ ref('engagement') }}
where last_engaged_at < as_of - interval 60 day and last_engaged_at >= as_of - interval 90 day
