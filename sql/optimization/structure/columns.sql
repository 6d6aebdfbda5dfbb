-- columns: how the columns of the tables lie in a row, with their statistics where this role may see them
-- needs: PostgreSQL 13   parameters: tables oid[]
-- dropped columns among them: a row has a null in their place; a virtual generated column is never stored
select
  a.attrelid as oid,
  a.attnum as position,
  case when a.attisdropped then null else a.attname end as name,
  pg_catalog.quote_ident(a.attname) as title,
  case when a.attisdropped then null else pg_catalog.format_type(a.atttypid, a.atttypmod) end as type,
  ty.typcategory as category,
  a.attlen as length,
  a.attalign as alignment,
  a.attstorage as storage,
  coalesce(pg_catalog.to_jsonb(a) ->> 'attcompression', '') as compression, -- from PostgreSQL 14
  a.attnotnull as not_null,
  a.attgenerated as generated,
  a.attidentity as identity,
  a.attisdropped as dropped,
  pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'select') as readable,
  s.null_frac as null_fraction,
  s.avg_width as average_bytes,
  s.n_distinct as distinct
from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
join pg_catalog.pg_class c on c.oid = selected.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0
left join pg_catalog.pg_type ty on ty.oid = a.atttypid
left join pg_catalog.pg_stats s
  on s.schemaname = n.nspname
  and s.tablename = c.relname
  and s.attname = a.attname
  and not s.inherited
order by a.attrelid, a.attnum;
