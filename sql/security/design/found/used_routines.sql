-- used_routines: routines that whoever reads or writes a table or a view must be able to execute
-- needs: PostgreSQL 13
-- They stand in defaults, checks (of domains, too), expressions of indexes and bodies of views.
with uses as (
    select a.adrelid as relation, 'pg_catalog.pg_attrdef'::pg_catalog.regclass as class, a.oid as object
    from pg_catalog.pg_attrdef a
    union all
    select c.conrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid
    from pg_catalog.pg_constraint c
    where c.conrelid <> 0
    union all
    select a.attrelid, 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid
    from pg_catalog.pg_constraint c
    join pg_catalog.pg_attribute a on a.atttypid = c.contypid
    where c.contypid <> 0
        and a.attnum > 0
    union all
    select i.indrelid, 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
    from pg_catalog.pg_index i
    union all
    select r.ev_class, 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid
    from pg_catalog.pg_rewrite r
)
select distinct
    rn.nspname::text as schema,
    r.relname::text as name,
    pn.nspname::text as routine_schema,
    p.proname::text as routine_name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments
from uses u
join pg_catalog.pg_depend d on d.classid = u.class and d.objid = u.object
join pg_catalog.pg_proc p on d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.refobjid = p.oid
join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace
join pg_catalog.pg_class r on r.oid = u.relation
join pg_catalog.pg_namespace rn on rn.oid = r.relnamespace
where pn.nspname <> 'pg_catalog'
    and rn.nspname !~ '^pg_'
    and rn.nspname <> 'information_schema'
    and not exists (
        select
        from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and e.objid = p.oid
            and e.deptype = 'e'
    )
order by schema, name, routine_schema, routine_name, arguments;
