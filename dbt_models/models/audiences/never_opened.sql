{# Who was sent five messages or more, and neither opened nor clicked any message ever. #}
select user_key, email, user_id, openable_sends as sends
from {{ ref('engagement') }}
where openable_sends >= 5 and engagements = 0
