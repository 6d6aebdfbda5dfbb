-- tables_of_indexes: each index with its table, which is in the same schema
-- needs: PostgreSQL 13   parameters: none
select n.nspname as schema_name, c.relname as index_name, t.relname as table_name
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, c.relname;
