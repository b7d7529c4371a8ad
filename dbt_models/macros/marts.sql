{# The data types that events have, each with its name, and with the step of a campaign that it is. #}
{% macro event_types() %}{{ return(var('data_types') | rejectattr('name', 'equalto', 'user') | list) }}{% endmacro %}

{# The column that counts a data type. #}
{% macro total_of(data_type) %}{{ return('total_' ~ data_type | lower) }}{% endmacro %}

{# The data types of some steps, as SQL text. #}
{% macro data_types_of_steps(steps) -%}
    {%- set names = [] -%}
    {%- for each in event_types() if each['step'] in steps %}{% do names.append("'" ~ each['name'] ~ "'") %}{% endfor -%}
    {{ names | join(', ') if names else "''" }}
{%- endmacro %}

{# How many rows meet a condition: where there are fifty of these, several times as fast as count with a filter. #}
{% macro how_many(condition) -%}
    cast(sum(case when {{ condition }} then 1 else 0 end) as bigint)
{%- endmacro %}

{# One text that is different for different rows. What may hold any sign, such as a name, comes last. #}
{% macro row_id(parts) -%}
    md5({% for part in parts %}coalesce(cast({{ part }} as {{ dbt.type_string() }}), ''){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}

{# First and last name, as far as they are known. #}
{% macro full_name(row) -%}
    nullif(trim(coalesce({{ row }}.first_name, '') || ' ' || coalesce({{ row }}.last_name, '')), '')
{%- endmacro %}

{# What an event says that is counted by person and campaign: where one of these is corrected, its hour has changed. #}
{% macro counted_columns() %}
    {{ return(['campaign_id', 'experiment_id', 'data_type', 'created_at', 'template_id', 'campaign_name', 'template_name', 'total']) }}
{% endmacro %}

{# What user_campaign_activity says of a user and a campaign: these columns are compared to tell whether a row changed. #}
{% macro user_campaign_columns() %}
    {%- set columns = ['events', 'first_event_at', 'last_event_at', 'first_open_or_click_event_at', 'template_id',
                       'campaign_name', 'template_name', 'purchase_revenue', '_other_keys'] -%}
    {%- for each in event_types() %}{% do columns.append(total_of(each['name'])) %}{% endfor -%}
    {{ return(columns) }}
{% endmacro %}

{# People who are counted as a whole have tens of campaigns each, and of the others each event that came is one at most:
   twenty of these go for one person. #}
{% macro slices_of_user_campaign_activity() %}
    {%- set people = run_query(
        'select count(*) filter (where whole), count(*) filter (where not whole) from ' ~ ref('touched_people')
    ).rows[0] -%}
    {%- set came = single(
        'select coalesce(sum(loads.rows), 0) from ' ~ activity_loads() ~ ' as loads where loads.load_id > (select marts_built_from from ' ~ ref('build_span') ~ ')'
    ) if people[1] else 0 -%}
    {{ return(slices_of(people[0] + came // 20, var('users_per_slice'))) }}
{% endmacro %}

{# As many keys together as one slice may have: each is no more than a row of numbers. #}
{% macro slices_of_recent_activity() %}
    {{ return(slices_of(single('select count(*) from ' ~ ref('touched_keys')), var('pieces_per_slice'))) }}
{% endmacro %}

{# A row per campaign and experiment is little, however many users are counted in it. #}
{% macro slices_of_campaign_activity() %}{{ return([{}]) }}{% endmacro %}
