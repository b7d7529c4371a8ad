-- one row per user and hour, asked only of the hours of this build: the cost must not grow with history
{% test unique_in_changed_hours(model) %}
select user_key, hour
from {{ model }}
where {{ in_changed_hours('hour') }}
group by user_key, hour
having count(*) > 1
{% endtest %}
