{# Lists of data types, as SQL text, by what data_types.py says of them. #}
{% macro data_types_with(flag) -%}
    {%- set names = [] -%}
    {%- for each in var('data_types') if each[flag] %}{% do names.append("'" ~ each['name'] ~ "'") %}{% endfor -%}
    {{ names | join(', ') if names else "''" }}
{%- endmacro %}

{# Common table expressions that merge the rows of `pieces` by user, the last of them named `merged`: maps by summing or
   comparing what they say of each key, sets by uniting them. Everything is spread to one row per entry and grouped once:
   comparing lists with lists took minutes for a million rows. #}
{% macro merge_pieces(pieces) %}
entries as (
    {{ spread_maps(['counts'] + activity_maps(), pieces) }}
),

summed as (
    select user_key, kind, key, cast(sum(value) as bigint) as value from entries group by user_key, kind, key
),

merged_counts as (
    select
        user_key,
        {% for name in ['counts'] + activity_maps() -%}
        {{ value_map('key', "case when kind = '" ~ name ~ "' then value end", 'bigint') }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from summed
    group by user_key
),

moments as (
    {{ spread_maps(['first_at', 'last_at'], pieces) }}
),

bounds as (
    select user_key, key, min(value) as first_at, max(value) as last_at from moments group by user_key, key
),

merged_moments as (
    select
        user_key,
        {{ value_map('key', 'first_at', 'timestamp') }} as first_at,
        {{ value_map('key', 'last_at', 'timestamp') }} as last_at
    from bounds
    group by user_key
),

members as (
    {{ spread_sets(activity_sets(), pieces) }}
),

merged_sets as (
    select
        user_key,
        {% for name in activity_sets() -%}
        {{ set_of('member', "kind = '" ~ name ~ "'") }} as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from members
    group by user_key
),

merged_values as (
    select
        user_key,
        max(merged_to) as merged_to,
        cast(sum(events) as bigint) as events,
        {{ latest('push_deeplink', 'push_deeplink_at') }} as push_deeplink,
        max(push_deeplink_at) as push_deeplink_at,
        {{ latest('phone', 'phone_at') }} as phone,
        max(phone_at) as phone_at,
        cast(sum(purchase_revenue) as decimal(38, 6)) as purchase_revenue,
        max(email) as email,
        max(user_id) as user_id,
        max(itbl_user_id) as itbl_user_id
    from {{ pieces }}
    group by user_key
),

merged as (
    select
        merged_values.user_key,
        merged_values.merged_to,
        merged_values.events,
        coalesce(merged_counts.counts, {{ empty_map('bigint') }}) as counts,
        coalesce(merged_moments.first_at, {{ empty_map('timestamp') }}) as first_at,
        coalesce(merged_moments.last_at, {{ empty_map('timestamp') }}) as last_at,
        {% for name in activity_sets() -%}
        coalesce(merged_sets.{{ name }}, {{ empty_set() }}) as {{ name }},
        {% endfor -%}
        {% for name in activity_maps() -%}
        coalesce(merged_counts.{{ name }}, {{ empty_map('bigint') }}) as {{ name }},
        {% endfor -%}
        merged_values.push_deeplink,
        merged_values.push_deeplink_at,
        merged_values.phone,
        merged_values.phone_at,
        merged_values.purchase_revenue,
        merged_values.email,
        merged_values.user_id,
        merged_values.itbl_user_id
    from merged_values
    left join merged_counts on merged_values.user_key = merged_counts.user_key
    left join merged_moments on merged_values.user_key = merged_moments.user_key
    left join merged_sets on merged_values.user_key = merged_sets.user_key
)
{% endmacro %}

{% macro activity_sets() %}
    {{ return(['campaigns', 'templates', 'channels', 'message_types', 'workflows', 'push_messages',
               'campaign_names', 'template_names', 'workflow_names',
               'unnamed_campaigns', 'unnamed_templates', 'unnamed_workflows']) }}
{% endmacro %}

{% macro activity_maps() %}
    {{ return(['impressions', 'conversions', 'push_hours_of_day', 'push_hours_of_week', 'push_months', 'custom_events']) }}
{% endmacro %}

{# What a partial row says beside how many events there were of each type, and when: columns of `described_names`. With
   the ending `_one`, of a group that is a single event. #}
{% macro described_columns(ending='') %}
    {%- set text = dbt.type_string() -%}
    {%- set of_push, of_sms = "stream = 'iterable_push_activity'", "stream = 'iterable_sms_activity'" -%}
    {%- set message = "coalesce(nullif(experience_id, ''), cast(campaign_id as " ~ text ~ '))' -%}
    {%- set deeplink = 'coalesce(deeplink_ios, deeplink_android)' -%}
    {%- set sets = {
        'campaigns': ('campaign_id', 'true'),
        'templates': ('template_id', 'true'),
        'channels': ('channel_id', 'true'),
        'message_types': ('message_type_id', 'true'),
        'workflows': ('workflow_id', 'true'),
        'push_messages': ('message_id', of_push),
        'campaign_names': ('campaign_name', 'true'),
        'template_names': ('template_name', 'true'),
        'workflow_names': ('workflow_name', 'true'),
        'unnamed_campaigns': ('campaign_id', 'campaign_name is null'),
        'unnamed_templates': ('template_id', 'template_name is null'),
        'unnamed_workflows': ('workflow_id', 'workflow_name is null'),
    } -%}
    {%- set maps = {
        'impressions': (message, 'data_type in (' ~ data_types_with('impression') ~ ')'),
        'conversions': (message, 'data_type in (' ~ data_types_with('conversion') ~ ')'),
        'push_hours_of_day': (hour_of_day('created_at'), of_push),
        'push_hours_of_week': (hour_of_week('created_at'), of_push),
        'push_months': (yymm('created_at'), of_push),
        'custom_events': ('event_name', "data_type = 'customEvent'"),
    } -%}
    {{ context['digest_of' ~ ending](counted_columns()) }} as digest,
    {% for name in activity_sets() -%}
    {{ context['set_of' ~ ending](*sets[name]) }} as {{ name }},
    {% endfor -%}
    {% for name in activity_maps() -%}
    {{ context['count_map' ~ ending](*maps[name]) }} as {{ name }},
    {% endfor -%}
    {{ context['latest' ~ ending](deeplink, 'created_at') }} as push_deeplink,
    {{ context['newest' ~ ending](deeplink ~ ' is not null') }} as push_deeplink_at,
    {{ context['latest' ~ ending]('case when ' ~ of_sms ~ ' then to_phone_number end', 'created_at') }} as phone,
    {{ context['newest' ~ ending]('to_phone_number is not null and ' ~ of_sms) }} as phone_at,
    cast({{ 'coalesce(' ~ money('total') ~ ', 0)' if ending else exact_sum(money('total')) }} as decimal(38, 6)) as purchase_revenue,
    {% for name in ['email', 'user_id', 'itbl_user_id'] -%}
    {{ name if ending else 'max(' ~ name ~ ')' }} as {{ name }}{{ ',' if not loop.last }}
    {% endfor %}
{% endmacro %}
{% macro newest(condition) -%}
    max(created_at) filter (where {{ condition }})
{%- endmacro %}
{% macro newest_one(condition) -%}
    case when {{ condition }} then created_at end
{%- endmacro %}
{% macro described_names() %}
    {{ return(['digest'] + activity_sets() + activity_maps()
              + ['push_deeplink', 'push_deeplink_at', 'phone', 'phone_at', 'purchase_revenue', 'email', 'user_id', 'itbl_user_id']) }}
{% endmacro %}

{# What brought activity, by export or by webhook: which load, which hour, how many rows, and whether it only added. #}
{% macro activity_loads() -%}
    (
        select load_id, hour, rows, false as only_added from {{ source('streams', 'loads') }} where stream <> 'iterable_users'
        union all
        select load_id, hour, rows, only_added from {{ source('streams', 'webhook_loads') }} where stream is not null
    )
{%- endmacro %}

{# The largest that finished builds of this configuration say; tails do not depend on it. #}
{% macro newest_of_builds(builds, column, without) -%}
    -- twice, because of one value there is no greatest everywhere
    greatest({{ without }}, {{ without }}{% for each in builds %}, coalesce((
        select max({{ column }}) from {{ each }}{{ " where configuration = '" ~ configuration() ~ "'" if column == 'built_to' }}
    ), {{ without }}){% endfor %})
{%- endmacro %}

{# The hours changed since the last build of the profiles, or of the marts. #}
{% macro hours_changed(since) -%}
    (select * from {{ ref('changed_hours') }} where load_id > (select {{ since }} from {{ ref('build_span') }}))
{%- endmacro %}

{# A moment of build_span, written out: the engine skips what lies outside, and need not ask for each row. #}
{% macro moment_of_span(column) -%}
    {%- set span = ref('build_span') -%}
    timestamp '{{ single('select ' ~ column ~ ' from ' ~ span) if execute else '0001-01-01 00:00:00' }}'
{%- endmacro %}

{# The same as a condition that lets the engine skip everything else. #}
{% macro in_changed_hours(column, since='built_from') %}
    {%- set changed = hours_changed(since) ~ ' as changed' -%}
    {%- if execute -%}
        {%- set found = run_query('select min(hour), max(hour) from ' ~ changed) -%}
        {%- set first, last = found.columns[0].values()[0], found.columns[1].values()[0] -%}
        {%- if first is none -%}false{%- else -%}
        {{ column }} between timestamp '{{ first }}' and timestamp '{{ last }}'
        and {{ among_hours(column, changed) }}
        {%- endif -%}
    {%- else -%}true{%- endif -%}
{% endmacro %}

{# The partial rows that are not what the last finished build saw, as a condition. #}
{% macro changed_since_the_last_build(hour, load_id, since='built_from') -%}
    {{ in_changed_hours(hour, since) }} and {{ load_id }} > (select {{ since }} from {{ ref('build_span') }})
{%- endmacro %}

{# Everything that a partial row says of its user and hour. #}
{% macro partial_columns() %}{{ return(['events', 'counts', 'first_at', 'last_at'] + described_names()) }}{% endmacro %}

{# The columns of a partial or base row, in the order that unions need. #}
{% macro base_columns(row, merged_to, user_key=none) %}
    {{ user_key or row ~ '.user_key' }} as user_key, {{ merged_to }} as merged_to, {{ row }}.events, {{ row }}.counts, {{ row }}.first_at, {{ row }}.last_at,
    {% for name in activity_sets() + activity_maps() -%}
    {{ row }}.{{ name }},
    {% endfor -%}
    {{ row }}.push_deeplink, {{ row }}.push_deeplink_at, {{ row }}.phone, {{ row }}.phone_at, {{ row }}.purchase_revenue,
    {{ row }}.email, {{ row }}.user_id, {{ row }}.itbl_user_id
{% endmacro %}

{# A fingerprint of what the columns are made of. #}
{% macro configuration() -%}
    {{ local_md5(var('data_types') | string ~ var('profile_fields') | string ~ var('user_key_first')) }}
{%- endmacro %}
