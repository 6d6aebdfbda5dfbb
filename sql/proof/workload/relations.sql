-- relations: the tables and views that names mean in this session, with their columns in order
-- needs: PostgreSQL 13   parameters: names text[]
select
  given.name,
  c.oid,
  pg_catalog.array_agg(a.attname::text order by a.attnum) as columns,
  case when c.relkind = 'v' then pg_catalog.pg_get_viewdef(c.oid) end as definition
from pg_catalog.unnest(%(names)s::text[]) as given(name)
join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(given.name)
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
group by given.name, c.oid, c.relkind
order by given.name;
