-- attributes: what a role that is attacked may not be
-- needs: PostgreSQL 13
select
    r.rolname,
    r.rolsuper,
    r.rolbypassrls,
    r.rolcreaterole,
    r.rolcreatedb,
    r.rolreplication
from pg_catalog.pg_roles r
where r.rolname = current_user
    and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication);
