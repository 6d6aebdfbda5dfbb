-- secret_in_mapping: passwords in user mappings of foreign servers
-- level: info   needs: PostgreSQL 13   scope: server   reads: mappings
-- section: 4 User access and authorization   control: own: no secret where more roles than needed use it
-- near miss: a mapping without a password
select
  'secret_in_mapping' as "check",
  case when u.umuser = 0 then 'warn' else 'info' end as severity,
  pg_catalog.format('%%I.%%s', s.srvname, coalesce(pg_catalog.quote_ident(r.rolname), 'public')) as object,
  pg_catalog.format(
    'the user mapping of %%s for the server %%I holds a password',
    coalesce(pg_catalog.quote_ident(r.rolname), 'PUBLIC'), s.srvname
  ) as title,
  'It is kept in clear, stands in every backup, and for PUBLIC every role with USAGE on the server logs in there '
  'with it. Source: PostgreSQL manual, CREATE USER MAPPING. The value is not shown here.' as why,
  pg_catalog.format(
    E'-- use a certificate, or a role of the other server that may do very little, and then:\n'
    'alter user mapping for %%s server %%I options (drop password);',
    coalesce(pg_catalog.quote_ident(r.rolname), 'public'), s.srvname
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_user_mapping u
join pg_catalog.pg_foreign_server s on s.oid = u.umserver
left join pg_catalog.pg_roles r on r.oid = u.umuser
where exists (
  select
  from pg_catalog.unnest(u.umoptions) as option(text)
  where option.text ~* '^(password|passwd|secret)='
)
order by object;
