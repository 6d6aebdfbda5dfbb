-- roles: every role of the cluster with its attributes; those that PostgreSQL brings have names that begin with pg_
-- needs: PostgreSQL 13
select
    r.rolname::text as name,
    r.rolsuper as superuser,
    r.rolcreaterole as create_role,
    r.rolcreatedb as create_database,
    r.rolcanlogin as login,
    r.rolinherit as inherit,
    r.rolbypassrls as bypass_row_security,
    r.rolreplication as replication,
    r.rolconnlimit as connection_limit,
    r.rolvaliduntil::text as valid_until,
    coalesce(r.rolconfig, '{}') as settings,
    coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), '') as comment
from pg_catalog.pg_roles r
order by name;
