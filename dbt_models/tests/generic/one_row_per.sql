-- one row per `keys`, none of them NULL; where history is long, only rows that this build may have changed are asked, so that the cost does
-- not grow with it: those of its hours, by the column `hour`, or of the people it touched, by the column `person`
{% test one_row_per(model, keys, hour=none, person=none) %}
select {{ keys | join(', ') }}
from {{ model }}
where
    {{ in_changed_hours(hour) if hour else 'true' }}
    {{ 'and ' ~ person ~ ' in (select user_key from ' ~ ref('touched_users') ~ ')' if person }}
group by {{ keys | join(', ') }}
having count(*) > 1 {% for key in keys %}or {{ key }} is null {% endfor %}
{% endtest %}
