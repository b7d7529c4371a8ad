{# Every difference between engines stands here; no model names an engine. Each macro is dispatched, so that another
   engine adds its own beside DuckDB's. #}

{# How many rows there are of each value: MAP(VARCHAR, BIGINT), sorted by key, empty rather than NULL. #}
{% macro count_map(value, condition) %}{{ return(adapter.dispatch('count_map')(value, condition)) }}{% endmacro %}
{% macro duckdb__count_map(value, condition) %}
    coalesce(
        cast(histogram(cast({{ value }} as varchar)) filter (where ({{ condition }}) and {{ value }} is not null) as map(varchar, bigint)),
        {{ empty_map('bigint') }}
    )
{% endmacro %}

{# An aggregate of `value` for each key, one row per key: MAP(VARCHAR, …) without the NULL values. #}
{% macro value_map(key, value, type) %}{{ return(adapter.dispatch('value_map')(key, value, type)) }}{% endmacro %}
{% macro duckdb__value_map(key, value, type) %}
    coalesce(
        map_from_entries(list({'k': {{ key }}, 'v': {{ value }}} order by {{ key }}) filter (where {{ value }} is not null)),
        {{ empty_map(type) }}
    )
{% endmacro %}

{# The entries of a map, each with a key and a value, as a list. #}
{% macro map_entries_of(column) %}{{ return(adapter.dispatch('map_entries_of')(column)) }}{% endmacro %}
{% macro duckdb__map_entries_of(column) %}map_entries({{ column }}){% endmacro %}

{% macro empty_map(type) %}{{ return(adapter.dispatch('empty_map')(type)) }}{% endmacro %}
{% macro duckdb__empty_map(type) %}cast(map() as map(varchar, {{ type }})){% endmacro %}

{% macro empty_set() %}{{ return(adapter.dispatch('empty_set')()) }}{% endmacro %}
{% macro duckdb__empty_set() %}cast([] as varchar[]){% endmacro %}

{# The different values of several rows, sorted, as text; empty rather than NULL. #}
{% macro set_of(value, condition) %}{{ return(adapter.dispatch('set_of')(value, condition)) }}{% endmacro %}
{% macro duckdb__set_of(value, condition) %}
    coalesce(list_sort(list_distinct(list(cast({{ value }} as varchar)) filter (where ({{ condition }}) and {{ value }} is not null))), {{ empty_set() }})
{% endmacro %}

{# The value with the largest (at, value): ties must not be left to chance. #}
{% macro latest(value, at) %}{{ return(adapter.dispatch('latest')(value, at)) }}{% endmacro %}
{% macro duckdb__latest(value, at) %}arg_max({{ value }}, ({{ at }}, {{ value }})) filter (where {{ value }} is not null and {{ at }} is not null){% endmacro %}

{# Whether two rows say the same in these columns, maps and lists among them; NULL is the same as NULL. #}
{% macro same_row(one, other, columns) %}{{ return(adapter.dispatch('same_row')(one, other, columns)) }}{% endmacro %}
{% macro duckdb__same_row(one, other, columns) %}
    {%- for name in columns %}{{ one }}.{{ name }} is not distinct from {{ other }}.{{ name }}{{ ' and ' if not loop.last }}{% endfor -%}
{% endmacro %}

{# A row per element of a list column. #}
{% macro elements(column) %}{{ return(adapter.dispatch('elements')(column)) }}{% endmacro %}
{% macro duckdb__elements(column) %}unnest({{ column }}){% endmacro %}

{# A number that is the same for the same text, from 0 on, to deal users out by. #}
{% macro bucket_of(text) %}{{ return(adapter.dispatch('bucket_of')(text)) }}{% endmacro %}
{% macro duckdb__bucket_of(text) %}hash({{ text }}){% endmacro %}

{# A number for several rows that is the same in whatever order they come, and differs where a row says something else. #}
{% macro digest_of(columns) %}{{ return(adapter.dispatch('digest_of')(columns)) }}{% endmacro %}
{% macro duckdb__digest_of(columns) %}sum(hash({{ columns | join(', ') }})){% endmacro %}

{# A top-level field of a record, as text. Dots and quotes in its name are part of it. #}
{% macro record_field(record, field) %}{{ return(adapter.dispatch('record_field')(record, field)) }}{% endmacro %}
{% macro duckdb__record_field(record, field) %}json_extract_string({{ record }}, '/{{ field | replace("~", "~0") | replace("/", "~1") | replace("'", "''") }}'){% endmacro %}

{# Parts of a moment: hour of day 0-23; hour of week 0-167, Monday 00:00 is 0; year and month as yymm. #}
{% macro hour_of_day(at) %}{{ return(adapter.dispatch('hour_of_day')(at)) }}{% endmacro %}
{% macro duckdb__hour_of_day(at) %}hour({{ at }}){% endmacro %}
{% macro hour_of_week(at) %}{{ return(adapter.dispatch('hour_of_week')(at)) }}{% endmacro %}
{% macro duckdb__hour_of_week(at) %}((isodow({{ at }}) - 1) * 24 + hour({{ at }})){% endmacro %}
{% macro yymm(at) %}{{ return(adapter.dispatch('yymm')(at)) }}{% endmacro %}
{% macro duckdb__yymm(at) %}strftime({{ at }}, '%y%m'){% endmacro %}

{# Money adds up exactly, whatever the order. #}
{% macro exact_sum(value) %}{{ return(adapter.dispatch('exact_sum')(value)) }}{% endmacro %}
{% macro duckdb__exact_sum(value) %}coalesce(sum(try_cast({{ value }} as decimal(28, 6))), 0){% endmacro %}

{# The elements of a JSON array that is given as text, as a list of texts; empty for anything else. #}
{% macro json_texts(text) %}{{ return(adapter.dispatch('json_texts')(text)) }}{% endmacro %}
{% macro duckdb__json_texts(text) %}coalesce(try_cast(try_cast({{ text }} as json) as varchar[]), {{ empty_set() }}){% endmacro %}

{# The different whole numbers of several rows, ascending, as the text of a JSON array. #}
{% macro json_numbers(value) %}{{ return(adapter.dispatch('json_numbers')(value)) }}{% endmacro %}
{% macro duckdb__json_numbers(value) %}cast(to_json(list_sort(list(distinct {{ value }}))) as varchar){% endmacro %}

{# How many elements a list column has. #}
{% macro length_of(column) %}{{ return(adapter.dispatch('length_of')(column)) }}{% endmacro %}
{% macro duckdb__length_of(column) %}cast(len({{ column }}) as bigint){% endmacro %}

{# A list of texts as one text. #}
{% macro joined(column, separator) %}{{ return(adapter.dispatch('joined')(column, separator)) }}{% endmacro %}
{% macro duckdb__joined(column, separator) %}array_to_string({{ column }}, '{{ separator }}'){% endmacro %}

{# The whole number that a text is, else NULL. #}
{% macro whole(text) %}try_cast({{ text }} as bigint){% endmacro %}

{# The domain of an address. #}
{% macro email_domain(email) %}{{ return(adapter.dispatch('email_domain')(email)) }}{% endmacro %}
{% macro duckdb__email_domain(email) %}nullif(regexp_extract({{ email }}, '@([^@]*)$', 1), ''){% endmacro %}

{# The key a user's row goes by: the same rule as in streams. #}
{% macro normal_email(email) %}nullif(lower(trim({{ email }})), ''){% endmacro %}
