-- roles: what the cluster says of the roles that are to be attacked
-- needs: PostgreSQL 13   parameters: names text[]
select
    r.rolname as name,
    r.rolsuper as superuser,
    r.rolbypassrls as bypasses_row_security,
    r.rolcanlogin as can_log_in
from pg_catalog.pg_roles r
where r.rolname = any (%(names)s)
order by r.rolname;
