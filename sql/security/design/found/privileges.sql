-- privileges: what each role but the owner holds on each object; the grantee of PUBLIC is empty
-- needs: PostgreSQL 13
with objects as (
    select
        'database' as kind,
        '' as schema,
        d.datname::text as name,
        '' as part,
        d.datdba as owner,
        coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba)) as acl
    from pg_catalog.pg_database d
    where d.datname = pg_catalog.current_database()
    union all
    select 'schema', '', n.nspname::text, '', n.nspowner, coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
    union all
    select
        case c.relkind when 'S' then 'sequence' else 'table' end,
        n.nspname::text,
        c.relname::text,
        '',
        c.relowner,
        c.relacl
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
    union all
    select 'column', n.nspname::text, c.relname::text, a.attname::text, c.relowner, a.attacl
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where a.attacl is not null
        and not a.attisdropped
        and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
    union all
    select
        'routine',
        n.nspname::text,
        p.proname::text,
        pg_catalog.pg_get_function_identity_arguments(p.oid),
        p.proowner,
        coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
    union all
    select
        'type',
        n.nspname::text,
        t.typname::text,
        '',
        t.typowner,
        coalesce(t.typacl, pg_catalog.acldefault('T', t.typowner))
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and (t.typtype in ('d', 'e', 'r') or t.typtype = 'c' and c.relkind = 'c')
)
select
    o.kind,
    o.schema,
    o.name,
    o.part,
    case a.grantee when 0 then '' else pg_catalog.pg_get_userbyid(a.grantee)::text end as grantee,
    pg_catalog.pg_get_userbyid(a.grantor)::text as grantor,
    pg_catalog.lower(a.privilege_type) as privilege,
    a.is_grantable as grantable
from objects o
cross join lateral pg_catalog.aclexplode(o.acl) a
where a.grantee <> o.owner
order by kind, schema, name, part, grantee, privilege;
