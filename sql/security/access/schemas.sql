-- schemas: those that are not the system's own, with their owners
-- needs: PostgreSQL 13
select
    n.nspname::text as name,
    pg_catalog.pg_get_userbyid(n.nspowner)::text as owner
from pg_catalog.pg_namespace n
where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
order by name;
