{# How many messages of each channel a person was sent for each that they opened; all of them where none was opened. #}
{% set channels = fatigue_channels() %}
select
    people.user_key,
    people.email,
    people.it_user_id as user_id
    {%- for channel in channels %},
    case when recent.{{ channel }}_sends > 0 then round(cast(recent.{{ channel }}_sends as double) / greatest(recent.{{ channel }}_opens, 1), 2) end as {{ channel }}_fatigue
    {%- endfor %}
from {{ ref('recent_activity') }} as recent
inner join {{ ref('user_profiles') }} as people on recent.user_key = people.user_key
where {% for channel in channels %}recent.{{ channel }}_sends > 0{{ ' or ' if not loop.last }}{% endfor %}
