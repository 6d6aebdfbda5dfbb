-- evicting_schema: where the extension pg_buffercache lies in the clone
-- needs: PostgreSQL 18   parameters: none
select n.nspname as name
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
where e.extname = 'pg_buffercache';
