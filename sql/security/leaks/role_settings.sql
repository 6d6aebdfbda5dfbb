-- role_settings: the settings kept for databases and roles, which every role may read
select pg_catalog.array_to_string(s.setconfig, ' ')
from pg_catalog.pg_db_role_setting s;
