{# The hours of activity that were loaded anew, or that webhooks changed, since the marts were last built, each with the
   newest load. `whole` says that rows may have left it or changed since the profiles were last built; else some were
   added, and nobody but their users is concerned. #}
select
    loads.hour,
    max(loads.load_id) as load_id,
    coalesce(bool_or(not loads.only_added) filter (where loads.load_id > span.built_from), false) as whole
from {{ activity_loads() }} as loads
cross join {{ ref('build_span') }} as span
where
    loads.load_id > span.marts_built_from
    -- what such an hour was counted to be is all that is left of it
    and loads.hour not in (select hour from {{ source('streams', 'expired_hours') }})
group by loads.hour
