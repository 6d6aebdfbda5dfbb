-- relations: the tables that names mean in this session, with their columns in order
-- needs: PostgreSQL 13   parameters: names text[]
select
  given.name,
  c.oid,
  pg_catalog.array_agg(a.attname::text order by a.attnum) as columns
from pg_catalog.unnest(%(names)s::text[]) as given(name)
join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(given.name)
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
group by given.name, c.oid
order by given.name;
