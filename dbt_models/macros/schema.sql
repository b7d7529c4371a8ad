{# Schemas are named as they are, without the target's name in front. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}

{# Tables are named without the database: a view must say the same in the copy for readers, whose file has another name. #}
{% macro ref() -%}
    {{ return(builtins.ref(*varargs, **kwargs).include(database=false)) }}
{%- endmacro %}
{% macro source() -%}
    {{ return(builtins.source(*varargs).include(database=false)) }}
{%- endmacro %}
