-- locked_tables: tables of this database that another session holds for itself alone
-- needs: PostgreSQL 13
select distinct n.nspname as schema_name, c.relname as table_name, l.pid
from pg_catalog.pg_locks l
join pg_catalog.pg_database d
  on d.oid operator(pg_catalog.=) l.database
 and d.datname operator(pg_catalog.=) pg_catalog.current_database()
join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) l.relation
join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where l.granted
  and l.mode operator(pg_catalog.=) 'AccessExclusiveLock'
  and l.pid operator(pg_catalog.<>) pg_catalog.pg_backend_pid()
  and c.relkind in ('r', 'p', 'm')
order by n.nspname, c.relname, l.pid;
