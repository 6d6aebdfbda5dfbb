-- adopt_settings: settings for the session; those that this engine does not know are passed over
-- needs: PostgreSQL 18   parameters: names text[], settings text[]
select given.name, pg_catalog.set_config(given.name, given.setting, false)
from rows from (
  pg_catalog.unnest(%(names)s::text[]),
  pg_catalog.unnest(%(settings)s::text[])
) as given(name, setting)
join pg_catalog.pg_settings s on s.name = given.name and s.context in ('user', 'superuser')
order by given.name;
