-- schemas: the schemas of the database, without the system's own and the temporary ones
-- needs: PostgreSQL 13
select n.oid, n.nspname as name
from pg_catalog.pg_namespace n
where n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
order by n.nspname;
