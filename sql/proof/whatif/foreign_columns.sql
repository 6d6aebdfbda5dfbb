-- foreign_columns: columns that each refer to another table by themselves
-- needs: PostgreSQL 13   parameters: none
select n.nspname as schema_name, c.relname as table_name, a.attname as column_name,
  rn.nspname as referenced_schema, rc.relname as referenced_table
from pg_catalog.pg_constraint con
join pg_catalog.pg_class c on c.oid = con.conrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = con.conkey[1]
join pg_catalog.pg_class rc on rc.oid = con.confrelid
join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
where con.contype = 'f'
  and pg_catalog.cardinality(con.conkey) = 1
order by n.nspname, c.relname, a.attname, rn.nspname, rc.relname;
