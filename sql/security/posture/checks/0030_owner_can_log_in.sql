-- owner_can_log_in: the role that owns the tables is one that logs in
-- level: info   needs: PostgreSQL 13   scope: server   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure excessive administrative privileges are revoked
-- near miss: an owner without a login, of which the application is a member
select
  'owner_can_log_in' as "check",
  case when pg_catalog.bool_or(c.relrowsecurity and not c.relforcerowsecurity) then 'warn' else 'info' end
    as severity,
  pg_catalog.quote_ident(r.rolname) as object,
  pg_catalog.format(
    '%%I logs in and owns %%s', r.rolname,
    case when pg_catalog.count(*) = 1 then '1 table' else pg_catalog.count(*) || ' tables' end
  ) as title,
  'An owner needs no privilege, may drop and change its tables, disable their triggers, and is not held by their '
  'policies unless they are forced. An injection into a program that logs in as the owner may do all of that. '
  'Source: PostgreSQL manual, 5.9 Row Security Policies; CIS PostgreSQL Benchmark, section 4.' as why,
  pg_catalog.format(
    E'-- a role that nobody logs in as owns the tables, and the program gets what it needs of them:\n'
    'create role %%I nologin;\nreassign owned by %%I to %%I;',
    pg_catalog.left(r.rolname, 55) || '_owner', r.rolname, pg_catalog.left(r.rolname, 55) || '_owner'
  ) as fix,
  pg_catalog.jsonb_build_object('role', r.rolname) as details
from pg_catalog.pg_class c
join pg_catalog.pg_roles r on r.oid = c.relowner
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'p')
  and r.rolcanlogin
  and not r.rolsuper
group by r.oid, r.rolname
order by object;
