-- dangerous_setting: settings for repairs, which take protection away
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure superuser parameters are configured correctly; ensure backend runtime parameters are configured correctly
-- near miss: the defaults
select
  'dangerous_setting' as "check",
  case when s.name in ('fsync', 'full_page_writes', 'row_security') then 'warn' else 'error' end as severity,
  'server.' || s.name as object,
  pg_catalog.format('%%s is %%s', s.name, s.reset_val) as title,
  case s.name
    when 'fsync' then 'A crash of the machine can destroy the whole cluster. '
    when 'full_page_writes' then 'A crash of the machine can leave half-written pages. '
    when 'row_security' then 'Whoever is held by a policy gets an error where a query would be filtered: programs '
      'tend to be given BYPASSRLS for it. '
    when 'session_replication_role' then 'Triggers do not fire, so foreign keys and audits by triggers are not kept. '
    when 'lo_compat_privileges' then 'Any role reads and changes any large object. '
    when 'db_user_namespace' then 'Names of roles are read differently in each database. '
    when 'allow_system_table_mods' then 'The system catalogs can be changed by hand. '
    else 'Damage in the files is passed over in silence. '
  end || 'Source: PostgreSQL manual, 19.5 Write Ahead Log, 19.11 Client Connection Defaults, 19.17 Developer '
  'Options; CIS PostgreSQL Benchmark, section 6.' as why,
  pg_catalog.format(E'alter system reset %%I;\nselect pg_catalog.pg_reload_conf();', s.name) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where (s.name, s.reset_val) in (
    ('fsync', 'off'), ('full_page_writes', 'off'), ('zero_damaged_pages', 'on'), ('ignore_checksum_failure', 'on'),
    ('ignore_system_indexes', 'on'), ('allow_system_table_mods', 'on'), ('lo_compat_privileges', 'on'),
    ('db_user_namespace', 'on'), ('row_security', 'off'), ('session_replication_role', 'replica'),
    ('ignore_invalid_pages', 'on')
  )
order by object;
