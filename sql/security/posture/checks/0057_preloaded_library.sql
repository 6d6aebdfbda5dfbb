-- preloaded_library: libraries that a session loads by the settings of a database or a role
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure superuser parameters are configured correctly
-- near miss: shared_preload_libraries, which only the file and a restart change
select
  'preloaded_library' as "check",
  'warn' as severity,
  pg_catalog.concat_ws(
    '.',
    coalesce(pg_catalog.quote_ident(d.datname), 'all databases'),
    coalesce(pg_catalog.quote_ident(r.rolname), 'all roles'),
    pg_catalog.split_part(entry.text, '=', 1)
  ) as object,
  'sessions load a library: ' || entry.text as title,
  'Its code runs in every such session with the rights of the server. Source: PostgreSQL manual, 19.11.4 Shared '
  'Library Preloading.' as why,
  pg_catalog.format(
    'alter %%s reset %%I;',
    case
      when d.datname is null and r.rolname is null then 'role all'
      when d.datname is null then pg_catalog.format('role %%I', r.rolname)
      when r.rolname is null then pg_catalog.format('database %%I', d.datname)
      else pg_catalog.format('role %%I in database %%I', r.rolname, d.datname)
    end,
    pg_catalog.split_part(entry.text, '=', 1)
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_db_role_setting s
left join pg_catalog.pg_database d on d.oid = s.setdatabase
left join pg_catalog.pg_roles r on r.oid = s.setrole
cross join lateral pg_catalog.unnest(s.setconfig) as entry(text)
where entry.text ~ '^(session|local)_preload_libraries=.'
order by object;
