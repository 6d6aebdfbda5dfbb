-- hba_error: lines of pg_hba.conf that the server does not understand
-- level: error   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure login via host TCP/IP socket is configured correctly
-- near miss: a file without an error
select
  'hba_error' as "check",
  'error' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format('line %%s: %%s', h.line_number, h.error) as title,
  'With one wrong line the whole file is not loaded: the rules before the change go on, and after a restart the '
  'server does not start. Source: PostgreSQL manual, 20.1 The pg_hba.conf File.' as why,
  pg_catalog.format(
    E'-- correct line %%s of pg_hba.conf, and then:\nselect pg_catalog.pg_reload_conf();', h.line_number
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.error is not null
order by object;
