-- probed_tables: where and with what columns writing is probed: the largest leaf of each of the given tables
-- needs: PostgreSQL 13   parameters: names text[]
-- indexed_columns are all that an index of any kind reads, unique_columns those of unique and exclusion indexes
with leaves as (
  select distinct on (given.name)
    given.name as given,
    c.oid,
    c.relname,
    c.relnamespace,
    c.reltuples,
    c.relkind
  from pg_catalog.unnest(%(names)s::text[]) as given(name)
  cross join lateral (
    select pg_catalog.to_regclass(given.name)::oid as relid
    union
    select tree.relid::oid
    from pg_catalog.pg_partition_tree(pg_catalog.to_regclass(given.name)) as tree
    where tree.isleaf
  ) as leaf
  join pg_catalog.pg_class c on c.oid = leaf.relid
  where c.relkind = 'r'
  order by given.name, c.reltuples desc, c.oid
),
reads as (
  select i.indrelid, d.refobjsubid as attnum, i.indisunique or i.indisexclusion as is_unique
  from pg_catalog.pg_index i
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.objid = i.indexrelid
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjid = i.indrelid
    and d.refobjsubid > 0
  where i.indrelid in (select l.oid from leaves l)
  union all
  select con.conrelid, k.attnum, true
  from pg_catalog.pg_constraint con
  cross join lateral pg_catalog.unnest(con.conkey) as k(attnum)
  where con.contype in ('p', 'u', 'x')
    and con.conrelid in (select l.oid from leaves l)
),
read_by_indexes as (
  select r.indrelid, r.attnum, pg_catalog.bool_or(r.is_unique) as is_unique
  from reads r
  group by r.indrelid, r.attnum
)
select
  l.given,
  n.nspname as schema,
  l.relname as name,
  l.reltuples::float8 as rows,
  coalesce(pg_catalog.array_agg(a.attname::text order by a.attnum) filter (where a.attgenerated = ''), '{}') as columns,
  coalesce(
    pg_catalog.array_agg(distinct a.attname::text) filter (where r.attnum is not null), '{}'
  ) as indexed_columns,
  coalesce(pg_catalog.array_agg(distinct a.attname::text) filter (where r.is_unique), '{}') as unique_columns
from leaves l
join pg_catalog.pg_namespace n on n.oid = l.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = l.oid and a.attnum > 0 and not a.attisdropped
left join read_by_indexes r on r.indrelid = l.oid and r.attnum = a.attnum
group by l.given, n.nspname, l.relname, l.reltuples
order by l.given;
