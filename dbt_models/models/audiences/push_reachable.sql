{# Who was sent a push that has not bounced, and whose app was not uninstalled since. #}
select user_key, email, user_id, last_push_sent_at
from {{ ref('engagement') }}
where last_push_sent_at > coalesce(last_push_lost_at, timestamp '0001-01-01 00:00:00')
