-- activity: what each session did last
select coalesce(a.query, '') || ' ' || coalesce(a.application_name, '')
from pg_catalog.pg_stat_activity a
where a.pid <> pg_catalog.pg_backend_pid();
