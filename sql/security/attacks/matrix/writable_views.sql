-- writable_views: which views take an insert, an update, a delete by themselves or through a trigger
-- needs: PostgreSQL 13
-- The events are bits, numbered as in the server's CmdType: update 2, insert 3, delete 4.
select
    n.nspname as schema,
    c.relname as name,
    pg_catalog.pg_relation_is_updatable(c.oid, true) & 4 <> 0 as "update",
    pg_catalog.pg_relation_is_updatable(c.oid, true) & 8 <> 0 as "insert",
    pg_catalog.pg_relation_is_updatable(c.oid, true) & 16 <> 0 as "delete"
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v'
    and n.nspname not in ('pg_catalog', 'information_schema')
order by n.nspname, c.relname;
