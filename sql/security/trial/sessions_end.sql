-- sessions_end: ends the sessions of a database and waits for it, at most 5 s for each
select pg_catalog.pg_terminate_backend(a.pid, 5000)
from pg_catalog.pg_stat_activity a
where a.datname = {database}
  and a.pid <> pg_catalog.pg_backend_pid()
order by a.pid;
