-- session: who looks, what that role may, and what the database is
-- needs: PostgreSQL 13
select
    pg_catalog.current_database()::text as database,
    current_user::text as deployer,
    r.rolsuper as superuser,
    r.rolcreaterole as create_role,
    pg_catalog.pg_get_userbyid(d.datdba)::text as database_owner,
    pg_catalog.current_setting('server_version_num')::integer as server_version,
    pg_catalog.has_function_privilege('public', 'pg_catalog.lo_create(oid)', 'execute') as large_objects_open
from pg_catalog.pg_database d
cross join pg_catalog.pg_roles r
where d.datname = pg_catalog.current_database()
    and r.rolname = current_user;
