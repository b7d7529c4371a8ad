{# Whether a sliced model has been built before and is to be brought up to date. #}
{% macro is_built() %}
    {{ return(execute and load_relation(this) is not none and not should_full_refresh()) }}
{% endmacro %}

{# Whether a table that is there has all these columns: one of an earlier version may lack some. #}
{% macro has_columns(relation, names) %}
    {%- set there = load_relation(relation) if execute else none -%}
    {%- set found = adapter.get_columns_in_relation(there) | map(attribute='name') | list if there else [] -%}
    {{ return(not (names | reject('in', found) | list)) }}
{% endmacro %}

{# The one value that a query gives. #}
{% macro single(query) %}{{ return(run_query(query).columns[0].values()[0]) }}{% endmacro %}

{# The statement of a model for one slice: a slice says what stands for its marks. #}
{% macro one_slice(statement, slice) %}
    {%- set text = namespace(value=statement) -%}
    {%- for mark, meaning in slice.items() -%}
        {%- set text.value = text.value | replace(mark, meaning) -%}
    {%- endfor -%}
    {{ return(text.value) }}
{% endmacro %}

{# Conditions for a model's rows, by hour or by user; `one_slice` fills the marks in. #}
{% macro in_slice_of_hours(column) %}{{ column }} between timestamp '__first_hour__' and timestamp '__last_hour__'{% endmacro %}
{% macro in_slice_of_users(column) %}{{ bucket_of(column) }} % __slices__ = __slice__{% endmacro %}

{# As many hours together as have the events of one slice. #}
{% macro slices_of_user_activity_hourly() %}
    {%- set hours = run_query(
        'select loads.hour, sum(loads.rows) from ' ~ activity_loads() ~ ' as loads where loads.hour in '
        '(select hour from ' ~ hours_changed('built_from') ~ ' as changed) group by 1 order by 1'
    ) -%}
    {%- set slices, events = [], namespace(count=0) -%}
    {%- for hour, rows in hours.rows -%}
        {%- if not slices or events.count + rows > var('events_per_slice') -%}
            {%- do slices.append({'__first_hour__': hour | string, '__last_hour__': hour | string}) -%}
            {%- set events.count = 0 -%}
        {%- endif -%}
        {%- do slices[-1].update({'__last_hour__': hour | string}) -%}
        {%- set events.count = events.count + rows -%}
    {%- endfor -%}
    {{ return(slices or [{'__first_hour__': '0001-01-01', '__last_hour__': '0001-01-01'}]) }}
{% endmacro %}

{# Whether hours changed that the base has merged: rare, and where it is not so, every partial row would be read to find
   out that nobody is rebuilt. #}
{% macro old_hours_changed() %}
    {{ return(single('select count(*) from ' ~ hours_changed('built_from') ~ ' as changed where hour < ' ~ moment_of_span('tail_start')) > 0) }}
{% endmacro %}

{# By users, as elsewhere, and by the partial rows that are merged: a user has many of them when the base is made, or when
   old hours changed; of how many, the average tells. #}
{% macro slices_of_user_base() %}
    {%- set partial = ref('user_activity_hourly') -%}
    {%- set closed = 'select count(*) from ' ~ partial ~ ' where hour < ' ~ moment_of_span('tail_start') -%}
    {%- if not is_built() -%}
    {{ return(slices_of(single(closed), var('pieces_per_slice'))) }}
    {%- endif -%}
    {%- set moved_on = 'hour >= ' ~ moment_of_span('previous_tail_start') -%}
    {%- if not old_hours_changed() -%}
    {{ return(slices_of(single(closed ~ ' and ' ~ moved_on), var('users_per_slice'))) }}
    {%- endif -%}
    {%- set rebuilt = 'hour in (select hour from ' ~ hours_changed('built_from') ~ ' as changed)' -%}
    {%- set counts = run_query(
        'select count(distinct user_key), count(distinct user_key) filter (where ' ~ rebuilt ~ '), count(*) from ' ~ partial
        ~ ' where hour < ' ~ moment_of_span('tail_start') ~ ' and (' ~ moved_on ~ ' or ' ~ rebuilt ~ ')'
    ).rows[0] -%}
    {%- set average = single('select (' ~ closed ~ ') // greatest(count(*), 1) from ' ~ this) -%}
    {%- set by_pieces = slices_of(counts[1] * average + counts[2], var('pieces_per_slice')) -%}
    {%- set by_users = slices_of(counts[0], var('users_per_slice')) -%}
    {{ return(by_pieces if by_pieces | length > by_users | length else by_users) }}
{% endmacro %}

{% macro slices_of_user_profiles() %}
    {{ return(slices_of(single('select count(*) from ' ~ ref('touched_users')), var('users_per_slice'))) }}
{% endmacro %}

{% macro slices_of(rows, most) %}
    {%- set count = (1 + rows // most) | int -%}
    {%- set slices = [] -%}
    {%- for number in range(count) -%}
        {%- do slices.append({'__slices__': count | string, '__slice__': number | string}) -%}
    {%- endfor -%}
    {{ return(slices) }}
{% endmacro %}
