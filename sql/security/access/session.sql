-- session: the database, who looks at it, and the server
-- needs: PostgreSQL 13
select
    d.datname::text as database,
    pg_catalog.pg_get_userbyid(d.datdba)::text as database_owner,
    current_user::text as reader,
    r.rolsuper as superuser,
    r.rolcreaterole as create_role,
    pg_catalog.current_setting('server_version_num')::integer as server_version
from pg_catalog.pg_database d
join pg_catalog.pg_roles r on r.rolname = current_user
where d.datname = pg_catalog.current_database();
