-- column_statistics: what the planner knows of the columns, the values as text
-- needs: PostgreSQL 13
-- an array of arrays has no text form that is an array of values again, so those columns come without values
select
  s.schemaname as schema,
  s.tablename as name,
  s.attname as "column",
  s.null_frac::float8 as null_fraction,
  s.n_distinct::float8 as "distinct",
  s.avg_width as width_bytes,
  case when t.typcategory <> 'A' then s.most_common_vals::text::text[] end as common_values,
  case when t.typcategory <> 'A' then s.most_common_freqs::float8[] end as common_fractions,
  case when t.typcategory <> 'A' then s.histogram_bounds::text::text[] end as bounds,
  s.correlation::float8 as correlation
from pg_catalog.pg_stats s
join pg_catalog.pg_namespace n on n.nspname = s.schemaname
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = s.tablename
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = s.attname
join pg_catalog.pg_type t on t.oid = a.atttypid
where s.schemaname not in ('pg_catalog', 'information_schema')
  and c.relkind in ('r', 'p')
  and s.inherited = (c.relkind = 'p')
order by s.schemaname, s.tablename, a.attnum;
