-- tables: what holds rows itself and is neither the system's nor an extension's
-- needs: PostgreSQL 13   near miss: a foreign table, whose rows are elsewhere
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n
  on n.oid = c.relnamespace
where c.relkind = 'r'
    and c.relpersistence <> 't'
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_'
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.objid = c.oid
            and d.deptype = 'e'
    )
order by pg_catalog.pg_relation_size(c.oid) desc, n.nspname, c.relname;
