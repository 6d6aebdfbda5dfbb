-- relations: tables, views and sequences that no extension owns, with the owner and the row security
-- needs: PostgreSQL 13
select
    n.nspname::text as schema,
    c.relname::text as name,
    c.relkind::text as kind,
    pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
    c.relrowsecurity as row_security,
    c.relforcerowsecurity as forced,
    coalesce(c.reloptions, '{}') as options,
    exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.objid = c.oid
            and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.refobjsubid > 0
            and d.deptype in ('a', 'i')
            and c.relkind = 'S'
    ) as owned_by_column
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and c.relpersistence <> 't'
    and n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.objid = c.oid
            and d.deptype = 'e'
    )
order by schema, name;
