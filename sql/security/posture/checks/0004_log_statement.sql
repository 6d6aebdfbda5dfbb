-- log_statement: changes of structure and of rights leave no trace in the log
-- level: info   needs: PostgreSQL 13   scope: server   reads: settings
-- section: 3 Logging and auditing   control: Ensure 'log_statement' is set correctly
-- near miss: pgaudit is loaded and logs them
select
  'log_statement' as "check",
  'info' as severity,
  'server.log_statement' as object,
  'log_statement is none, and pgaudit does not log in its stead' as title,
  'CREATE, ALTER, DROP, GRANT and the like are not logged by anybody: who changed a table or a right cannot be '
  'told. Source: CIS PostgreSQL Benchmark, section 3.1, Logging.' as why,
  E'alter system set log_statement = ''ddl'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'log_statement'
  and s.reset_val = 'none'
  and not exists (
    select
    from pg_catalog.pg_settings loaded
    where loaded.name = 'pgaudit.log'
      and loaded.reset_val not in ('', 'none')
  )
order by object;
