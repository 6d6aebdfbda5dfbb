-- first_column: a column of a table that a statement may set to its default
-- needs: PostgreSQL 13   parameters: schema text, table text
select a.attname as name
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s
  and c.relname = %(table)s
  and a.attnum > 0
  and not a.attisdropped
order by a.attnum
limit 1;
