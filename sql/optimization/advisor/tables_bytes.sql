-- tables_bytes: the size of all tables' main forks that are not the system's, as far as the statistics know
select coalesce(sum(c.relpages::bigint), 0) * 8192 as tables_bytes
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm')
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_';
