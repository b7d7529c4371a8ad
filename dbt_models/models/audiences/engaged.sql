{# Who opened or clicked anything within 30 days. #}
select user_key, email, user_id, last_engaged_at
from {{ ref('engagement') }}
where last_engaged_at >= as_of - interval 30 day
