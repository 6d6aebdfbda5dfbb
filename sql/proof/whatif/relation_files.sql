-- relation_files: where the main fork of each relation of the clone lies, below the data folder
-- needs: PostgreSQL 18   parameters: none
select c.oid, n.nspname as schema_name, c.relname as relation_name, c.relkind as kind, am.amname as method,
  pg_catalog.pg_relation_filepath(c.oid) as path
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_am am on am.oid = c.relam
where c.relkind in ('r', 'm', 'i')
  and c.relpersistence <> 't'
  and n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, c.relname;
