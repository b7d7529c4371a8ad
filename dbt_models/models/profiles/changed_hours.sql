{# The hours of activity that were loaded anew, or that webhooks changed, since the last finished build. #}
select distinct loads.hour
from {{ activity_loads() }} as loads
cross join {{ ref('build_span') }} as span
where loads.load_id > span.built_from
