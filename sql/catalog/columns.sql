-- columns: the columns of the relations, with the planner's statistics where this role may see them
-- needs: PostgreSQL 13   parameters: relations oid[]
-- a partitioned table has the statistics of all its partitions; domains are followed to the type beneath
with recursive beneath as (
  select t.oid, t.oid as base, false as not_null
  from pg_catalog.pg_type t
  where t.typtype <> 'd'
  union all
  select t.oid, b.base, b.not_null or t.typnotnull
  from beneath b
  join pg_catalog.pg_type t on t.typbasetype = b.oid
  where t.typtype = 'd'
),
labels as (
  select e.enumtypid as oid, pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder) as labels
  from pg_catalog.pg_enum e
  group by e.enumtypid
)
select
  a.attrelid as oid,
  a.attname as name,
  a.attnum as position,
  pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
  pg_catalog.format_type(b.base, null) as base_type,
  not (a.attnotnull or b.not_null) as nullable,
  pg_catalog.pg_get_expr(def.adbin, def.adrelid) as default,
  case a.attidentity when 'a' then 'always' when 'd' then 'by default' else '' end as identity,
  case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' else '' end as generated,
  coll.collname as collation,
  d.description as comment,
  case when t.typtype = 'd' then array[tn.nspname::text, t.typname::text] end as domain,
  l.labels as enum_labels,
  s.null_frac as null_fraction,
  s.n_distinct as distinct,
  s.avg_width as average_width_bytes
from pg_catalog.unnest(%(relations)s::oid[]) as selected(oid)
join pg_catalog.pg_class c on c.oid = selected.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_type t on t.oid = a.atttypid
join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
join beneath b on b.oid = t.oid
left join labels l on l.oid = b.base
left join pg_catalog.pg_attrdef def on def.adrelid = a.attrelid and def.adnum = a.attnum
left join pg_catalog.pg_collation coll on coll.oid = a.attcollation and a.attcollation <> t.typcollation
left join pg_catalog.pg_description d
  on d.objoid = a.attrelid
  and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.objsubid = a.attnum
left join pg_catalog.pg_stats s
  on s.schemaname = n.nspname
  and s.tablename = c.relname
  and s.attname = a.attname
  and s.inherited = (c.relkind = 'p')
order by a.attrelid, a.attnum;
