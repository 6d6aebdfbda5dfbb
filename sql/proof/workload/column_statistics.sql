-- column_statistics: what is known of the values of columns; of a parent with its partitions, where that is known
-- needs: PostgreSQL 13   parameters: relations oid[], columns text[]
select distinct on (given.relation, given.column_name)
  given.relation,
  given.column_name,
  s.null_frac,
  case
    when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 1)
    else s.n_distinct
  end as values_estimated,
  s.most_common_vals::text::text[] as common,
  s.most_common_freqs::float8[] as frequencies,
  s.histogram_bounds::text::text[] as bounds,
  s.most_common_elems::text::text[] as elements
from rows from (
  pg_catalog.unnest(%(relations)s::oid[]),
  pg_catalog.unnest(%(columns)s::text[])
) as given(relation, column_name)
join pg_catalog.pg_class c on c.oid = given.relation
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_stats s
  on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = given.column_name
order by given.relation, given.column_name, s.inherited desc;
