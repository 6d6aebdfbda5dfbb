-- names_taken: the names of all relations of a schema, which an index cannot have
-- needs: PostgreSQL 13   parameters: schemas text[]
select n.nspname as schema, c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (%(schemas)s::text[])
order by n.nspname, c.relname;
