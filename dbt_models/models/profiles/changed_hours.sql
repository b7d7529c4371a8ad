{# The hours of activity that were loaded anew since the last finished build. #}
select distinct loads.hour
from {{ source('streams', 'loads') }} as loads
cross join {{ ref('build_span') }} as span
where loads.stream <> 'iterable_users' and loads.load_id > span.built_from
