-- no_connection_limit: logins that may take all connections of the server
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 5 Connection and login   control: Ensure per-account connection limits are used
-- near miss: superusers, for whom no limit holds
select
  'no_connection_limit' as "check",
  'info' as severity,
  'server.roles' as object,
  pg_catalog.format(
    '%%s without a connection limit: %%s%%s',
    case when pg_catalog.count(*) = 1 then '1 login' else pg_catalog.count(*) || ' logins' end,
    pg_catalog.array_to_string(
      (pg_catalog.array_agg(pg_catalog.quote_ident(r.rolname) order by r.rolname))[1:5], ', '
    ),
    case when pg_catalog.count(*) > 5 then ' and ' || pg_catalog.count(*) - 5 || ' more' else '' end
  ) as title,
  'One program that forgets to close its connections, or one stolen login, shuts out all others. Source: CIS '
  'PostgreSQL Benchmark, section 5.' as why,
  pg_catalog.string_agg(
    pg_catalog.format('alter role %%I connection limit 20;', r.rolname), E'\n' order by r.rolname
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_roles r
where r.rolcanlogin
  and not r.rolsuper
  and r.rolconnlimit = -1
having pg_catalog.count(*) > 0
order by object;
