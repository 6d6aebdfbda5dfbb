-- schemas: those that hold something of the source's own, and those of extensions' objects
-- needs: PostgreSQL 13
select
    n.nspname::text as name,
    pg_catalog.pg_get_userbyid(n.nspowner)::text as owner,
    exists (
        select
        from pg_catalog.pg_extension e
        where e.extnamespace = n.oid
    ) as extensions
from pg_catalog.pg_namespace n
where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
order by n.nspname;
