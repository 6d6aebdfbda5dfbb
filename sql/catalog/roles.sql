-- roles: the roles of the cluster, without the ones that PostgreSQL predefines
-- needs: PostgreSQL 13
select
  r.rolname as name,
  r.rolsuper as superuser,
  r.rolcanlogin as login,
  r.rolbypassrls as bypass_row_security,
  coalesce((
    select pg_catalog.array_agg(distinct g.rolname::text order by g.rolname::text)
    from pg_catalog.pg_auth_members m
    join pg_catalog.pg_roles g on g.oid = m.roleid
    where m.member = r.oid
  ), '{}') as member_of
from pg_catalog.pg_roles r
where r.rolname !~ '^pg_'
order by r.rolname;
