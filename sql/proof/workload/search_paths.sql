-- search_paths: the search paths that are set for this database, or for roles in it, the nearest first
-- needs: PostgreSQL 13
select distinct on (found.setting)
  found.setting
from (
  select
    pg_catalog.substr(option, pg_catalog.length('search_path=') + 1) as setting,
    (s.setdatabase <> 0)::int + (s.setrole <> 0)::int as nearness
  from pg_catalog.pg_db_role_setting s
  cross join lateral pg_catalog.unnest(s.setconfig) as option
  where pg_catalog.starts_with(option, 'search_path=')
    and s.setdatabase in (
      0, (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    )
) as found
order by found.setting, found.nearness desc;
