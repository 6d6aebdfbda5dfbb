-- set_sequences: sequences of the given names go on after the given values, those that there are
-- needs: PostgreSQL 13   parameters: schemas text[], names text[], last_values bigint[]
select pg_catalog.setval(c.oid::pg_catalog.regclass, given.last_value)
from rows from (
  pg_catalog.unnest(%(schemas)s::text[]),
  pg_catalog.unnest(%(names)s::text[]),
  pg_catalog.unnest(%(last_values)s::bigint[])
) as given(schema, name, last_value)
join pg_catalog.pg_namespace n on n.nspname = given.schema
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = given.name and c.relkind = 'S'
order by n.nspname, c.relname;
