-- no_pgaudit: reads and writes of objects are audited by nothing
-- level: info   needs: PostgreSQL 13   scope: server   reads: settings
-- section: 3 Logging and auditing   control: Ensure the PostgreSQL Audit Extension (pgAudit) is enabled
-- near miss: it is loaded
select
  'no_pgaudit' as "check",
  'info' as severity,
  'server.pgaudit' as object,
  'pgaudit is not loaded' as title,
  'The server''s own log knows statements, not the objects that they reached through views and functions. An '
  'audit by triggers, as this workbench designs one, sees changes and no reads. Source: CIS PostgreSQL '
  'Benchmark, section 3.2.' as why,
  E'-- install the package of pgaudit, add pgaudit to shared_preload_libraries, and restart; then:\n'
    'create extension if not exists pgaudit;' as fix,
  pg_catalog.jsonb_build_object() as details
where not exists (
  select
  from pg_catalog.pg_settings s
  where s.name = 'shared_preload_libraries'
    and s.setting ~ '\mpgaudit\M'
)
order by object;
