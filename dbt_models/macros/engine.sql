{# Every difference between engines stands here; no model names an engine. Each macro is dispatched, so that another
   engine adds its own beside DuckDB's and Spark's; what Spark runs (Databricks, Glue) takes Spark's. #}

{# How many rows there are of each value: MAP(VARCHAR, BIGINT), sorted by key, empty rather than NULL. #}
{% macro count_map(value, condition) %}{{ return(adapter.dispatch('count_map')(value, condition)) }}{% endmacro %}
{% macro duckdb__count_map(value, condition) %}
    coalesce(
        cast(histogram(cast({{ value }} as varchar)) filter (where ({{ condition }}) and {{ value }} is not null) as map(varchar, bigint)),
        {{ empty_map('bigint') }}
    )
{% endmacro %}
{% macro spark__count_map(value, condition) %}
    {%- set found = 'collect_list(cast(' ~ value ~ ' as string)) filter (where (' ~ condition ~ ') and ' ~ value ~ ' is not null)' -%}
    map_from_entries(transform(
        array_sort(array_distinct({{ found }})), k -> struct(k, cast(size(filter({{ found }}, each -> each = k)) as bigint))
    ))
{% endmacro %}

{# An aggregate of `value` for each key, one row per key: MAP(VARCHAR, …) without the NULL values. A list is sorted when it
   is whole: an aggregate with an order takes twice as long. #}
{% macro value_map(key, value, type) %}{{ return(adapter.dispatch('value_map')(key, value, type)) }}{% endmacro %}
{% macro duckdb__value_map(key, value, type) %}
    coalesce(
        map_from_entries(list_sort(list({'k': {{ key }}, 'v': {{ value }}}) filter (where {{ value }} is not null))),
        {{ empty_map(type) }}
    )
{% endmacro %}
{% macro spark__value_map(key, value, type) %}
    map_from_entries(array_sort(collect_list(struct({{ key }}, {{ value }})) filter (where {{ value }} is not null)))
{% endmacro %}

{# The keys of a map, sorted, and the largest of its values. #}
{% macro keys_of(map) %}{{ return(adapter.dispatch('keys_of')(map)) }}{% endmacro %}
{% macro duckdb__keys_of(map) %}list_sort(map_keys({{ map }})){% endmacro %}
{% macro spark__keys_of(map) %}array_sort(map_keys({{ map }})){% endmacro %}
{% macro largest_of(map) %}{{ return(adapter.dispatch('largest_of')(map)) }}{% endmacro %}
{% macro duckdb__largest_of(map) %}list_max(map_values({{ map }})){% endmacro %}
{% macro spark__largest_of(map) %}array_max(map_values({{ map }})){% endmacro %}

{% macro empty_map(type) %}{{ return(adapter.dispatch('empty_map')(type)) }}{% endmacro %}
{% macro duckdb__empty_map(type) %}cast(map() as map(varchar, {{ type }})){% endmacro %}
{% macro spark__empty_map(type) %}cast(map() as map<string, {{ type }}>){% endmacro %}

{% macro empty_set() %}{{ return(adapter.dispatch('empty_set')()) }}{% endmacro %}
{% macro duckdb__empty_set() %}cast([] as varchar[]){% endmacro %}
{% macro spark__empty_set() %}cast(array() as array<string>){% endmacro %}

{# The different values of several rows, sorted, as text; empty rather than NULL. #}
{% macro set_of(value, condition) %}{{ return(adapter.dispatch('set_of')(value, condition)) }}{% endmacro %}
{% macro duckdb__set_of(value, condition) %}
    coalesce(list_sort(list_distinct(list(cast({{ value }} as varchar)) filter (where ({{ condition }}) and {{ value }} is not null))), {{ empty_set() }})
{% endmacro %}
{% macro spark__set_of(value, condition) %}
    array_sort(collect_set(cast({{ value }} as string)) filter (where ({{ condition }}) and {{ value }} is not null))
{% endmacro %}

{# What these aggregates say of a group that is one row: the same, at a quarter of the cost. Only where `splits_groups`. #}
{% macro splits_groups() %}{{ return(adapter.dispatch('splits_groups')()) }}{% endmacro %}
{% macro duckdb__splits_groups() %}{{ return(true) }}{% endmacro %}
{% macro spark__splits_groups() %}{{ return(false) }}{% endmacro %}
{% macro set_of_one(value, condition) -%}
    case when ({{ condition }}) and {{ value }} is not null then [cast({{ value }} as varchar)] else {{ empty_set() }} end
{%- endmacro %}
{% macro count_map_one(value, condition) -%}
    case when ({{ condition }}) and {{ value }} is not null then map([cast({{ value }} as varchar)], [1::bigint]) else {{ empty_map('bigint') }} end
{%- endmacro %}
{% macro value_map_one(key, value, type) -%}
    case when {{ value }} is not null then map([{{ key }}], [{{ value }}]) else {{ empty_map(type) }} end
{%- endmacro %}
{% macro latest_one(value, at) -%}
    case when {{ at }} is not null then {{ value }} end
{%- endmacro %}
{% macro digest_of_one(columns) -%}
    cast(hash({{ columns | join(', ') }}) as hugeint)
{%- endmacro %}

{# Two sets as one. #}
{% macro union_of(one, other) %}{{ return(adapter.dispatch('union_of')(one, other)) }}{% endmacro %}
{% macro duckdb__union_of(one, other) %}list_sort(list_distinct({{ one }} || {{ other }})){% endmacro %}
{% macro spark__union_of(one, other) %}array_sort(array_union({{ one }}, {{ other }})){% endmacro %}

{# The value with the largest (at, value): ties must not be left to chance. #}
{% macro latest(value, at) %}{{ return(adapter.dispatch('latest')(value, at)) }}{% endmacro %}
{% macro duckdb__latest(value, at) %}arg_max({{ value }}, ({{ at }}, {{ value }})) filter (where {{ value }} is not null and {{ at }} is not null){% endmacro %}
{% macro spark__latest(value, at) %}max_by({{ value }}, struct({{ at }}, {{ value }})) filter (where {{ value }} is not null and {{ at }} is not null){% endmacro %}

{# Whether two rows say the same in these columns, maps and lists among them; NULL is the same as NULL. #}
{% macro same_row(one, other, columns) %}{{ return(adapter.dispatch('same_row')(one, other, columns)) }}{% endmacro %}
{% macro duckdb__same_row(one, other, columns) %}
    {%- for name in columns %}{{ one }}.{{ name }} is not distinct from {{ other }}.{{ name }}{{ ' and ' if not loop.last }}{% endfor -%}
{% endmacro %}
{% macro spark__same_row(one, other, columns) %}
    {#- maps cannot be compared, their sorted entries can -#}
    {%- set maps = ['counts', 'first_at', 'last_at'] + activity_maps() -%}
    {%- for name in columns -%}
        {%- set parts = [one ~ '.' ~ name, other ~ '.' ~ name] -%}
        {{ 'map_entries(' ~ parts | join(') <=> map_entries(') ~ ')' if name in maps else parts | join(' <=> ') }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{% endmacro %}

{# A row per element of a list column. #}
{% macro elements(column) %}{{ return(adapter.dispatch('elements')(column)) }}{% endmacro %}
{% macro duckdb__elements(column) %}unnest({{ column }}){% endmacro %}
{% macro spark__elements(column) %}explode({{ column }}){% endmacro %}

{# A row for each entry of some map columns: user_key, the column's name as `kind`, key, value. DuckDB reads a table once
   for each column; Spark would plan anew what the table is made of, and reads it once. #}
{% macro spread_maps(columns, table) %}{{ return(adapter.dispatch('spread_maps')(columns, table)) }}{% endmacro %}
{% macro duckdb__spread_maps(columns, table) %}
    {% for name in columns -%}
    select user_key, '{{ name }}' as kind, entry.key as key, entry.value as value
    from (select user_key, {{ elements('map_entries(' ~ name ~ ')') }} as entry from {{ table }}) as spread
    {{ 'union all' if not loop.last }}
    {% endfor %}
{% endmacro %}
{% macro spark__spread_maps(columns, table) %}
    select user_key, entry.kind as kind, entry.key as key, entry.value as value
    from (
        select user_key, explode(concat({% for name in columns %}
            transform(map_entries({{ name }}), each -> struct('{{ name }}' as kind, each.key as key, each.value as value)){{ ',' if not loop.last }}
        {%- endfor %})) as entry
        from {{ table }}
    ) as spread
{% endmacro %}

{# The same for columns that are sets: user_key, kind, member. #}
{% macro spread_sets(columns, table) %}{{ return(adapter.dispatch('spread_sets')(columns, table)) }}{% endmacro %}
{% macro duckdb__spread_sets(columns, table) %}
    {% for name in columns -%}
    select user_key, '{{ name }}' as kind, {{ elements(name) }} as member from {{ table }}
    {{ 'union' if not loop.last }}
    {% endfor %}
{% endmacro %}
{% macro spark__spread_sets(columns, table) %}
    select distinct user_key, entry.kind as kind, entry.member as member
    from (
        select user_key, explode(concat({% for name in columns %}
            transform({{ name }}, each -> struct('{{ name }}' as kind, each as member)){{ ',' if not loop.last }}
        {%- endfor %})) as entry
        from {{ table }}
    ) as spread
{% endmacro %}

{# Whether single rows of an hour are replaced: else all of the hour's users are counted anew, with the same result. #}
{% macro replaces_rows() %}{{ return(adapter.dispatch('replaces_rows')()) }}{% endmacro %}
{% macro duckdb__replaces_rows() %}{{ return(true) }}{% endmacro %}
{% macro spark__replaces_rows() %}{{ return(false) }}{% endmacro %}

{# Whether slices are committed one by one, so that a build may break off between them. #}
{% macro commits_slices() %}{{ return(adapter.dispatch('commits_slices')()) }}{% endmacro %}
{% macro duckdb__commits_slices() %}{{ return(true) }}{% endmacro %}
{% macro spark__commits_slices() %}{{ return(false) }}{% endmacro %}

{# A number that is the same for the same text, from 0 on, to deal users out by. #}
{% macro bucket_of(text) %}{{ return(adapter.dispatch('bucket_of')(text)) }}{% endmacro %}
{% macro duckdb__bucket_of(text) %}hash({{ text }}){% endmacro %}
{% macro spark__bucket_of(text) %}(xxhash64({{ text }}) & 9223372036854775807){% endmacro %}

{# A number for several rows that is the same in whatever order they come, and differs where a row says something else. #}
{% macro digest_of(columns) %}{{ return(adapter.dispatch('digest_of')(columns)) }}{% endmacro %}
{% macro duckdb__digest_of(columns) %}sum(hash({{ columns | join(', ') }})){% endmacro %}
{# a NULL leaves the hash as it was: which columns are NULL is hashed, too #}
{% macro spark__digest_of(columns) %}sum(cast(xxhash64({{ columns | join(', ') }}, {{ columns | join(' is null, ') }} is null) as decimal(38, 0))){% endmacro %}

{# A top-level field of a record, as text. Dots and quotes in its name are part of it. #}
{% macro record_field(record, field) %}{{ return(adapter.dispatch('record_field')(record, field)) }}{% endmacro %}
{% macro duckdb__record_field(record, field) %}json_extract_string({{ record }}, '/{{ field | replace("~", "~0") | replace("/", "~1") | replace("'", "''") }}'){% endmacro %}
{# a path cannot say every name; the parser of a whole record takes them all, and is several times as slow #}
{% macro spark__record_field(record, field) %}
    {%- set name = field | replace('\\', '\\\\') | replace("'", "\\'") -%}
    {%- if field == '*' or "'" in field or '?' in field or '\\' in field -%}
    from_json({{ record }}, 'map<string, string>')['{{ name }}']
    {%- else -%}
    get_json_object({{ record }}, '$[\'{{ name }}\']')
    {%- endif -%}
{% endmacro %}

{# Parts of a moment: hour of day 0-23; hour of week 0-167, Monday 00:00 is 0; year and month as yymm. #}
{% macro hour_of_day(at) %}hour({{ at }}){% endmacro %}
{% macro hour_of_week(at) %}{{ return(adapter.dispatch('hour_of_week')(at)) }}{% endmacro %}
{% macro duckdb__hour_of_week(at) %}((isodow({{ at }}) - 1) * 24 + hour({{ at }})){% endmacro %}
{% macro spark__hour_of_week(at) %}(weekday({{ at }}) * 24 + hour({{ at }})){% endmacro %}
{% macro yymm(at) %}{{ return(adapter.dispatch('yymm')(at)) }}{% endmacro %}
{% macro duckdb__yymm(at) %}strftime({{ at }}, '%y%m'){% endmacro %}
{% macro spark__yymm(at) %}date_format({{ at }}, 'yyMM'){% endmacro %}

{# A number as money, which adds up exactly, whatever the order; NULL where it is too large. #}
{% macro money(value) %}{{ return(adapter.dispatch('money')(value)) }}{% endmacro %}
{% macro duckdb__money(value) %}try_cast({{ value }} as decimal(28, 6)){% endmacro %}
{# rounded as DuckDB does: its double is taken for a number of millionths #}
{% macro spark__money(value) %}
    try_cast(try_cast(rint({{ value }} * 1e6 + signum({{ value }}) * 1e-9) as decimal(38, 0)) * 0.000001 as decimal(28, 6))
{% endmacro %}
{% macro exact_sum(value) %}coalesce(sum(try_cast({{ value }} as decimal(28, 6))), 0){% endmacro %}

{# A number to two decimals, halves away from zero. #}
{% macro rounded(value) %}{{ return(adapter.dispatch('rounded')(value)) }}{% endmacro %}
{% macro duckdb__rounded(value) %}round({{ value }}, 2){% endmacro %}
{% macro spark__rounded(value) %}round({{ value }} * 100) / 100{% endmacro %}

{# The elements of a JSON array that is given as text, as a list of texts; empty for anything else. #}
{% macro json_texts(text) %}{{ return(adapter.dispatch('json_texts')(text)) }}{% endmacro %}
{% macro duckdb__json_texts(text) %}coalesce(try_cast(try_cast({{ text }} as json) as varchar[]), {{ empty_set() }}){% endmacro %}
{% macro spark__json_texts(text) %}coalesce(from_json({{ text }}, 'array<string>'), {{ empty_set() }}){% endmacro %}

{# The different whole numbers of several rows, ascending, as the text of a JSON array. #}
{% macro json_numbers(value) %}{{ return(adapter.dispatch('json_numbers')(value)) }}{% endmacro %}
{% macro duckdb__json_numbers(value) %}cast(to_json(list_sort(list(distinct {{ value }}))) as varchar){% endmacro %}
{% macro spark__json_numbers(value) %}to_json(array_sort(collect_set({{ value }}))){% endmacro %}

{# How many elements a list column has. #}
{% macro length_of(column) %}{{ return(adapter.dispatch('length_of')(column)) }}{% endmacro %}
{% macro duckdb__length_of(column) %}cast(len({{ column }}) as bigint){% endmacro %}
{% macro spark__length_of(column) %}cast(array_size({{ column }}) as bigint){% endmacro %}

{# A list of texts as one text. #}
{% macro joined(column, separator) %}{{ return(adapter.dispatch('joined')(column, separator)) }}{% endmacro %}
{% macro duckdb__joined(column, separator) %}array_to_string({{ column }}, '{{ separator }}'){% endmacro %}
{% macro spark__joined(column, separator) %}array_join({{ column }}, '{{ separator }}'){% endmacro %}

{# The whole number that a text is, else NULL. #}
{% macro whole(text) %}{{ return(adapter.dispatch('whole')(text)) }}{% endmacro %}
{% macro duckdb__whole(text) %}try_cast({{ text }} as bigint){% endmacro %}
{% macro spark__whole(text) %}try_cast(round(try_cast({{ text }} as decimal(38, 10))) as bigint){% endmacro %}

{# The domain of an address. #}
{% macro email_domain(email) %}nullif(regexp_extract({{ email }}, '@([^@]*)$', 1), ''){% endmacro %}

{# The key a user's row goes by: the same rule as in streams. #}
{% macro normal_email(email) %}nullif(lower(trim({{ email }})), ''){% endmacro %}

{# What has to be told before any model is built: to Spark, which files the sources are. #}
{% macro register_sources() %}{{ return(adapter.dispatch('register_sources')()) }}{% endmacro %}
{% macro duckdb__register_sources() %}{% endmacro %}
{# The parts of a stream are found by listing all of them when its table is made, and later by the loads that no finished
   build has seen. A small table is made anew, since its columns are those of its one file. #}
{% macro spark__register_sources() %}
    {% if execute %}
    {% set known, lake = {}, env_var('ITERABLE_LAKE_URL') %}
    {% for schema in graph.sources.values() | map(attribute='schema') | unique %}
        {% do run_query('create schema if not exists ' ~ schema) %}
        {% for row in run_query('show table extended in ' ~ schema ~ " like '*'").rows %}{% do known.update({row[0] ~ '.' ~ row[1]: row[3]}) %}{% endfor %}
    {% endfor %}
    {% for source in graph.sources.values() if source.name not in var('streams') | map(attribute='name') %}
        {% do read_files(source.schema ~ '.' ~ source.name, lake) %}
    {% endfor %}
    {% set finished = none if flags.FULL_REFRESH else adapter.get_relation(none, 'marts', 'builds') %}
    {% set loads = run_query(
        "select distinct stream, date_format(hour, 'yyyy-MM-dd\\'T\\'HH'), data_type from ("
        ~ 'select load_id, stream, hour, data_type from streams.loads union all '
        ~ 'select load_id, stream, hour, data_type from streams.webhook_loads where stream is not null) '
        ~ 'where load_id > (select coalesce(max(built_to), -1) from ' ~ finished ~ ')'
    ).rows if finished else [] %}
    {% for stream in var('streams') %}
        {% set name = 'streams.' ~ stream['name'] %}
        {% set parts = [] %}
        {% for load in loads if load[0] == stream['name'] %}{% do parts.append("partition (hour = '" ~ load[1] ~ "', data_type = '" ~ load[2] ~ "')") %}{% endfor %}
        {% if not finished or name not in known or stream['columns'] | reject('in', known[name]) | list %}
            {% do read_files(name, lake) %}
            {% do run_query('alter table ' ~ name ~ ' recover partitions') %}
        {% elif parts %}
            {% do run_query('alter table ' ~ name ~ ' add if not exists ' ~ parts | join(' ')) %}
            {% do run_query('refresh table ' ~ name) %}
        {% endif %}
    {% endfor %}
    {% endif %}
{% endmacro %}
{% macro read_files(name, lake) %}
    {% do run_query('drop table if exists ' ~ name) %}
    {% do run_query('create table ' ~ name ~ " using parquet location '" ~ lake ~ '/' ~ name | replace('.', '/') ~ "'") %}
{% endmacro %}

{# For readers, of tables whose files are not all of now: the rows of each in a folder of its own. #}
{% macro write_published(folders) %}
    {% for table, folder in folders.items() %}{% do run_query("insert overwrite directory '" ~ folder ~ "' using parquet select * from " ~ table) %}{% endfor %}
{% endmacro %}

{# The databases of models lie in the lake, too. #}
{% macro spark__create_schema(relation) %}
    {% do run_query('create schema if not exists ' ~ relation ~ " location '" ~ env_var('ITERABLE_LAKE_URL') ~ '/' ~ relation ~ "'") %}
{% endmacro %}

{# Whether a column is one of the hours of a relation. Spark would plan a join for each stream that is read: a few hours
   are written out. #}
{% macro among_hours(column, hours) %}{{ return(adapter.dispatch('among_hours')(column, hours)) }}{% endmacro %}
{% macro duckdb__among_hours(column, hours) %}{{ column }} in (select hour from {{ hours }}){% endmacro %}
{% macro spark__among_hours(column, hours) %}
    {%- set found = run_query('select distinct hour from ' ~ hours ~ ' order by 1 limit 201').columns[0].values() -%}
    {%- if found | length > 200 -%}{{ column }} in (select hour from {{ hours }})
    {%- else -%}{{ column }} in (timestamp '{{ found | join("', timestamp '") }}'){%- endif -%}
{% endmacro %}

{# The hour of an event: where it is part of a file's path, it is read from there, so that other files are not opened. #}
{% macro event_hour() %}{{ return(adapter.dispatch('event_hour')()) }}{% endmacro %}
{% macro duckdb__event_hour() %}_hour{% endmacro %}
{% macro spark__event_hour() %}to_timestamp_ntz(hour, 'yyyy-MM-dd\'T\'HH'){% endmacro %}

{# Tables that are kept up to date: what is new is computed, and replaces the rows that have its keys. In DuckDB slice by
   slice, each in a transaction of its own: so a first build over years needs no more memory than a day's. #}
{% materialization sliced, adapter='duckdb' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set keys = config.require('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {%- set fresh = make_temp_relation(target).include(database=false, schema=false) -%}
    {%- set slices = context['slices_of_' ~ model['name']]() -%}

    {{ run_hooks(pre_hooks) }}
    {#- a first build that breaks off leaves no table, which would pass for a whole one -#}
    {%- set final = target -%}
    {% if not is_built() %}
        {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% set target = target.incorporate(path={'identifier': this.identifier ~ '__next'}) %}
        {% do run_query('drop table if exists ' ~ target) %}
        {% call statement('empty', auto_begin=true) %}
            create table {{ target }} as select * from ({{ one_slice(sql, slices[0]) }}) limit 0
        {% endcall %}
    {% endif %}
    {% for slice in slices %}
        {% call statement('slice', auto_begin=true) %}
            create temp table {{ fresh }} as {{ one_slice(sql, slice) }}
        {% endcall %}
        {% if loop.first %}
            {% do process_schema_changes('append_new_columns', fresh, target) %}
        {% endif %}
        {% set columns = adapter.get_columns_in_relation(fresh) | map(attribute='quoted') | join(', ') %}
        {% call statement('main', auto_begin=true) %}
            -- the first key by itself: the engine skips what lies outside its bounds
            delete from {{ target }} where {{ keys[0] }} in (select {{ keys[0] }} from {{ fresh }})
            {%- if keys | length > 1 %} and ({{ keys | join(', ') }}) in (select {{ keys | join(', ') }} from {{ fresh }}){% endif %};
            insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ fresh }};
            drop table {{ fresh }};
        {% endcall %}
        {% if not loop.last %}{% do adapter.commit() %}{% endif %}
    {% endfor %}
    {% if config.get('meta').get('gone') %}
        {% call statement('gone', auto_begin=true) %}delete from {{ target }} where {{ config.get('meta')['gone'] }}{% endcall %}
    {% endif %}
    {% if target.identifier != final.identifier %}{% do adapter.rename_relation(target, final) %}{% endif %}
    {{ run_hooks(post_hooks) }}
    {% do persist_docs(final, model) %}
    {% do adapter.commit() %}
    {{ return({'relations': [final]}) }}
{% endmaterialization %}

{# One statement for formats that change rows in place: those of `fresh` replace theirs, and leave when they are not kept. #}
{% macro merge_rows(target, fresh, keys, columns, kept) -%}
    merge into {{ target }} as old
    using (select {{ columns | join(', ') }}, {{ kept }} as is_kept_ from {{ fresh }}) as fresh
    on {% for key in keys %}fresh.{{ key }} = old.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
    when matched and not fresh.is_kept_ then delete
    when matched then update set {% for name in columns %}{{ name }} = fresh.{{ name }}{{ ', ' if not loop.last }}{% endfor %}
    when not matched and fresh.is_kept_ then insert ({{ columns | join(', ') }}) values ({% for name in columns %}fresh.{{ name }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{# Spark spills what does not fit into memory, so that one slice does for all. A table by hour has its hours replaced; any
   other is written anew beside the old one and takes its place, or is merged into where the format allows it. #}
{% materialization sliced, adapter='spark' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set keys = config.require('unique_key') -%}
    {%- set keys = [keys] if keys is string else keys -%}
    {#- several keys: the first is the partition -#}
    {%- set by_part = keys | length > 1 -%}
    {%- set kept = 'not (' ~ config.get('meta')['gone'] ~ ')' if config.get('meta').get('gone') else 'true' -%}
    {%- set every_row = {'__first_hour__': '0001-01-01 00:00:00', '__last_hour__': '9999-12-31 00:00:00', '__slices__': '1', '__slice__': '0'} -%}
    {%- set statement_of_all = one_slice(sql, every_row) -%}
    {%- set fresh = target.incorporate(path={'identifier': this.identifier ~ '__fresh'}) -%}
    {%- set next = target.incorporate(path={'identifier': this.identifier ~ '__next'}) -%}

    {{ run_hooks(pre_hooks) }}
    {% if not is_built() %}
        {% if existing is not none %}{% do adapter.drop_relation(existing) %}{% endif %}
        {% call statement('main') %}
            create table {{ target }} {{ file_format_clause() }} {{ 'partitioned by (' ~ keys[0] ~ ')' if by_part }} as
            select * from ({{ statement_of_all }}) where {{ kept }}
        {% endcall %}
    {% else %}
        {% do run_query('drop table if exists ' ~ fresh) %}
        {% call statement('fresh') %}create table {{ fresh }} {{ file_format_clause() }} as {{ statement_of_all }}{% endcall %}
        {% do process_schema_changes('append_new_columns', fresh, target) %}
        {% set columns = adapter.get_columns_in_relation(fresh) | map(attribute='quoted') | join(', ') %}
        {% set rows %}
            select {{ columns }} from {{ fresh }} where {{ kept }}
            union all
            select {{ columns }} from {{ target }} as old
            where
                {% if by_part %}{{ keys[0] }} in (select {{ keys[0] }} from {{ fresh }}) and{% endif %}
                not exists (
                    select 1 from {{ fresh }} as fresh where {% for key in keys %}fresh.{{ key }} = old.{{ key }}{{ ' and ' if not loop.last }}{% endfor %}
                )
        {% endset %}
        {% if by_part %}
            {% call statement('main') %}insert overwrite {{ target }} partition ({{ keys[0] }}) ({{ columns }}) {{ rows }}{% endcall %}
        {% elif config.get('file_format') in ['delta', 'iceberg', 'hudi'] and not config.get('meta').get('several_rows') %}
            {% call statement('main') %}{{ merge_rows(target, fresh, keys, adapter.get_columns_in_relation(fresh) | map(attribute='quoted') | list, kept) }}{% endcall %}
        {% else %}
            {% do run_query('drop table if exists ' ~ next) %}
            {% call statement('main') %}create table {{ next }} {{ file_format_clause() }} as {{ rows }}{% endcall %}
            {% do adapter.drop_relation(target) %}
            {% do adapter.rename_relation(next, target) %}
        {% endif %}
        {% do adapter.drop_relation(fresh) %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {% do persist_docs(target, model) %}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}
