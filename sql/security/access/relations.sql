-- relations: tables, views and sequences that no extension owns: owner, row security, the views' options
-- needs: PostgreSQL 13
select
    n.nspname::text as schema,
    c.relname::text as name,
    case c.relkind
        when 'r' then 'table'
        when 'p' then 'partitioned table'
        when 'v' then 'view'
        when 'm' then 'materialized view'
        when 'f' then 'foreign table'
        when 'S' then 'sequence'
    end as kind,
    pg_catalog.pg_get_userbyid(c.relowner)::text as owner,
    c.relispartition as partition,
    c.relrowsecurity as row_security,
    c.relforcerowsecurity as forced,
    exists (
        select
        from pg_catalog.pg_options_to_table(c.reloptions) o
        where o.option_name = 'security_invoker'
            and pg_catalog.lower(o.option_value) in ('true', 'on', '1', 'yes', 't', 'y')
    ) as security_invoker,
    exists (
        select
        from pg_catalog.pg_options_to_table(c.reloptions) o
        where o.option_name = 'security_barrier'
            and pg_catalog.lower(o.option_value) in ('true', 'on', '1', 'yes', 't', 'y')
    ) as security_barrier
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
