-- privileges: what each role holds on each object, the owner's own included; PUBLIC is the role public
-- needs: PostgreSQL 13
-- An object without an ACL has the built-in default (manual, section 5.8), which is then said to be implicit.
with extension_members as materialized (
    select d.classid, d.objid
    from pg_catalog.pg_depend d
    where d.deptype = 'e'
),
objects as (
    select
        'database' as kind,
        '' as schema,
        d.datname::text as name,
        '' as part,
        d.datdba as owner,
        d.datacl as acl,
        pg_catalog.acldefault('d', d.datdba) as built_in
    from pg_catalog.pg_database d
    where d.datname = pg_catalog.current_database()
    union all
    select 'schema', '', n.nspname::text, '', n.nspowner, n.nspacl, pg_catalog.acldefault('n', n.nspowner)
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
        c.relacl,
        pg_catalog.acldefault(case c.relkind when 'S' then 's'::"char" else 'r'::"char" end, c.relowner)
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and c.relpersistence <> 't'
        and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and not exists (
            select
            from extension_members e
            where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                and e.objid = c.oid
        )
    union all
    select 'column', n.nspname::text, c.relname::text, a.attname::text, c.relowner, a.attacl, null
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where a.attacl is not null
        and not a.attisdropped
        and n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and not exists (
            select
            from extension_members e
            where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                and e.objid = c.oid
        )
    union all
    select
        'routine',
        n.nspname::text,
        p.proname::text,
        pg_catalog.pg_get_function_identity_arguments(p.oid),
        p.proowner,
        p.proacl,
        pg_catalog.acldefault('f', p.proowner)
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and not exists (
            select
            from extension_members e
            where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                and e.objid = p.oid
        )
    union all
    select
        'type',
        n.nspname::text,
        t.typname::text,
        '',
        t.typowner,
        t.typacl,
        pg_catalog.acldefault('T', t.typowner)
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
        and (t.typtype in ('d', 'e', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
        and not exists (
            select
            from extension_members e
            where e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                and e.objid = t.oid
        )
    union all
    select 'language', '', l.lanname::text, '', l.lanowner, l.lanacl, pg_catalog.acldefault('l', l.lanowner)
    from pg_catalog.pg_language l
    where l.lanpltrusted
    union all
    select 'foreign server', '', s.srvname::text, '', s.srvowner, s.srvacl, pg_catalog.acldefault('S', s.srvowner)
    from pg_catalog.pg_foreign_server s
)
select
    o.kind,
    o.schema,
    o.name,
    o.part,
    pg_catalog.pg_get_userbyid(o.owner)::text as owner,
    case a.grantee when 0 then 'public' else pg_catalog.pg_get_userbyid(a.grantee)::text end as grantee,
    pg_catalog.pg_get_userbyid(a.grantor)::text as grantor,
    pg_catalog.lower(a.privilege_type) as privilege,
    a.is_grantable as grantable,
    o.acl is null as implicit
from objects o
cross join lateral pg_catalog.aclexplode(coalesce(o.acl, o.built_in)) a
order by kind, schema, name, part, grantee, privilege, grantor;
