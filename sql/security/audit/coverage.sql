-- coverage: what of the declared audit is missing, switched off or other than it was put there
-- parameters: declared jsonb, audit text, functions jsonb, owner text, readers text[]
with declared as (
    select d.*, c.oid as root_id
    from pg_catalog.jsonb_to_recordset(%(declared)s::jsonb)
        d (schema_name text, table_name text, by_row boolean, redacted text[], omitted text[], truncation text)
    left join pg_catalog.pg_namespace n on n.nspname = d.schema_name
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = d.table_name
),
trail as (
    select n.oid as namespace_id
    from pg_catalog.pg_namespace n
    where n.nspname = %(audit)s
),
members as (
    select d.*, r.relation_id, c.relkind
    from declared d
    cross join lateral (
        select d.root_id as relation_id
        union
        select t.relid::oid
        from pg_catalog.pg_partition_tree(d.root_id) t
    ) r
    join pg_catalog.pg_class c on c.oid = r.relation_id
    where c.relkind in ('r', 'p')
),
expected as (
    select
        m.schema_name, m.table_name, m.relation_id, e.trigger_name, e.kind, e.function_name, e.old_table, e.new_table,
        case
            when e.function_name = 'refuse_change' then null
            else pg_catalog.convert_to(m.redacted::text, 'UTF8') || '\x00'::bytea
                || pg_catalog.convert_to(m.omitted::text, 'UTF8') || '\x00'::bytea
        end as arguments
    from members m
    join (
        values
            ('audit_insert', 4, 'record_statement', null, 'new_rows', 'statement'),
            ('audit_update', 16, 'record_statement', 'old_rows', 'new_rows', 'statement'),
            ('audit_delete', 8, 'record_statement', 'old_rows', null, 'statement'),
            ('audit_row', 29, 'record_row', null, null, 'row'),
            ('audit_truncate', 32, 'record_statement', null, null, 'logged'),
            ('audit_truncate', 32, 'record_statement', null, null, 'rows'),
            ('audit_truncated_rows', 34, 'record_truncated_rows', null, null, 'rows'),
            ('audit_truncate', 34, 'refuse_change', null, null, 'refused')
    ) e (trigger_name, kind, function_name, old_table, new_table, applies)
        on e.applies in (m.truncation, case when m.by_row then 'row' else 'statement' end)
    where e.trigger_name <> 'audit_truncated_rows'
        or m.relkind = 'r'
    union all
    select null, null, c.oid, e.trigger_name, e.kind, 'refuse_change', null, null, null
    from trail t
    join pg_catalog.pg_class c on c.relnamespace = t.namespace_id
    cross join (values ('append_only', 27), ('append_only_truncate', 34)) e (trigger_name, kind)
    where c.relkind in ('r', 'p')
        and c.relname <> 'watched'
),
judged as (
    select
        x.schema_name, x.table_name, x.relation_id::pg_catalog.regclass::text as relation, x.trigger_name as part,
        case
            when g.oid is null then 'missing'
            when g.tgenabled = 'D' then 'disabled'
            when g.tgenabled <> 'A' then 'not always'
            when f.proname <> x.function_name or f.pronamespace <> t.namespace_id then 'another function'
            when g.tgtype <> x.kind or g.tgqual is not null or g.tgattr::text <> '' then 'another event or condition'
            when g.tgoldtable is distinct from x.old_table or g.tgnewtable is distinct from x.new_table
                then 'other transition tables'
            when x.arguments is not null
                and pg_catalog.substr(g.tgargs, 1, pg_catalog.length(x.arguments)) <> x.arguments
                then 'other hidden columns'
            when x.trigger_name = 'audit_row'
                and pg_catalog.substr(g.tgargs, pg_catalog.length(x.arguments) + 1)
                    <> pg_catalog.convert_to(coalesce(k.key_columns, array[]::text[])::text, 'UTF8') || '\x00'::bytea
                then 'another key'
        end as problem
    from expected x
    cross join trail t
    left join pg_catalog.pg_trigger g on g.tgrelid = x.relation_id and g.tgname = x.trigger_name
    left join pg_catalog.pg_proc f on f.oid = g.tgfoid
    left join lateral {audit}.key_of(x.relation_id) k on true
    union all
    select m.schema_name, m.table_name, m.relation_id::pg_catalog.regclass::text, g.tgname, 'not declared'
    from members m
    join pg_catalog.pg_trigger g on g.tgrelid = m.relation_id
    join pg_catalog.pg_proc p on p.oid = g.tgfoid
    join trail t on t.namespace_id = p.pronamespace
    where not exists (
        select
        from expected x
        where x.relation_id = m.relation_id
            and x.trigger_name = g.tgname
    )
    union all
    select d.schema_name, d.table_name, d.schema_name || '.' || d.table_name, 'table', 'gone'
    from declared d
    where d.root_id is null
    union all
    select d.schema_name, d.table_name, c.oid::pg_catalog.regclass::text, 'partition', 'detached'
    from declared d
    join {audit}.watched w on w.root_id = d.root_id
    join pg_catalog.pg_class c on c.oid = w.relation_id
    where not exists (
        select
        from members m
        where m.relation_id = w.relation_id
    )
    union all
    select
        null, null, %(audit)s, e.key,
        case
            when p.oid is null then 'missing'
            when pg_catalog.md5(p.prosrc) <> e.value #>> array['body'] then 'another body'
            when p.prosecdef <> (e.value ->> 'definer')::boolean then 'other rights'
            when p.proowner <> o.oid then 'another owner'
            when not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false) then 'no safe search_path'
        end
    from pg_catalog.jsonb_each(%(functions)s::jsonb) e
    cross join trail t
    left join pg_catalog.pg_proc p on p.pronamespace = t.namespace_id and p.proname = e.key
    left join pg_catalog.pg_roles o on o.rolname = %(owner)s
    union all
    select
        null, null, c.oid::pg_catalog.regclass::text, coalesce(r.rolname, 'public'),
        'may ' || pg_catalog.lower(pg_catalog.string_agg(a.privilege_type, ', ' order by a.privilege_type))
    from trail t
    join pg_catalog.pg_class c on c.relnamespace = t.namespace_id
    cross join lateral pg_catalog.aclexplode(c.relacl) a
    left join pg_catalog.pg_roles r on r.oid = a.grantee
    where a.grantee <> c.relowner
        and not (a.privilege_type = 'SELECT' and coalesce(r.rolname = any (%(readers)s::text[]), false))
    group by c.oid, r.rolname
    union all
    select null, null, c.oid::pg_catalog.regclass::text, 'owner', 'another owner: ' || r.rolname
    from trail t
    join pg_catalog.pg_class c on c.relnamespace = t.namespace_id and c.relkind in ('r', 'p', 'v')
    join pg_catalog.pg_roles r on r.oid = c.relowner
    where r.rolname <> %(owner)s
    union all
    select null, null, %(audit)s, 'schema', 'missing'
    where not exists (select from trail)
    union all
    select null, null, %(audit)s, 'log_default', 'entries wait in the default partition'
    where exists (select from {audit}.log_default)
    union all
    select null, null, %(audit)s, m.name, 'no partition for that month'
    from (
        select 'log_' || pg_catalog.to_char(pg_catalog.now() at time zone 'UTC' + ahead.months, 'YYYY_MM') as name
        from (values (interval '0 months'), (interval '1 month')) ahead (months)
    ) m
    cross join trail t
    where not exists (
        select
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where c.relnamespace = t.namespace_id
            and c.relname = m.name
    )
)
select j.schema_name, j.table_name, j.relation, j.part, j.problem
from judged j
where j.problem is not null
order by j.schema_name nulls first, j.table_name, j.relation, j.part, j.problem;
