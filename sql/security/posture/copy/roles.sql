-- roles: the statements that make the roles of a cluster anew, without superusers and without the server's own
-- needs: PostgreSQL 13   parameters: ours text[]
-- left out: what reaches files and programs, so that nothing of a copy does
with roles as (
  select r.oid, r.rolname, r.rolcanlogin, r.rolbypassrls, r.rolcreaterole
  from pg_catalog.pg_roles r
  where not r.rolsuper
    and r.rolname !~ '^(pg_|wb_script_)'
    and r.rolname <> all(%(ours)s::text[])
)
select 1 as step, r.rolname::text as name, pg_catalog.format(
  'create role %%I %%s %%s', r.rolname,
  case when r.rolcanlogin then 'login' else 'nologin' end,
  case when r.rolbypassrls then 'bypassrls' else 'nobypassrls' end
) as statement
from roles r
union all
select 2, granted.rolname::text || ' ' || member.rolname, pg_catalog.format(
  'grant %%I to %%I', granted.rolname, member.rolname
)
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles granted on granted.oid = m.roleid
join roles member on member.oid = m.member
where granted.rolname in ('pg_read_all_data', 'pg_write_all_data')
  or granted.oid in (
    select r.oid
    from roles r
  )
order by step, name, statement;
