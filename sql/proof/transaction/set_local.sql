-- set_local: settings until the transaction or savepoint ends
-- needs: PostgreSQL 13   parameters: names text[], settings text[]
select pg_catalog.set_config(given.name, given.setting, true)
from rows from (
  pg_catalog.unnest(%(names)s::text[]),
  pg_catalog.unnest(%(settings)s::text[])
) as given(name, setting);
