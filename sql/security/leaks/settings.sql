-- settings: those that are kept for databases and roles, and those of the server's files
select pg_catalog.array_to_string(s.setconfig, ' ')
from pg_catalog.pg_db_role_setting s
union all
select coalesce(f.setting, '')
from pg_catalog.pg_file_settings f;
