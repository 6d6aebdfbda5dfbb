-- indexes: the indexes of the relations, with their keys, size and use
-- needs: PostgreSQL 13   parameters: relations oid[]
-- the size of a partitioned index is 0: its partitions' indexes have the pages
select
  i.indrelid as oid,
  c.relname as name,
  am.amname as method,
  k.keys,
  k.columns,
  k.included,
  i.indisunique as unique,
  i.indisprimary as primary,
  i.indisvalid and i.indisready and i.indislive as valid,
  pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
  pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
  con.conname as constraint,
  pg_catalog.pg_relation_size(i.indexrelid) as size_bytes,
  pg_catalog.pg_stat_get_numscans(i.indexrelid) as scans,
  coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) -- from PostgreSQL 15
    as nulls_not_distinct,
  c.relispartition as inherited,
  d.description as comment
from pg_catalog.unnest(%(relations)s::oid[]) as selected(oid)
join pg_catalog.pg_index i on i.indrelid = selected.oid
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_am am on am.oid = c.relam
cross join lateral (
  select
    pg_catalog.array_agg(
      coalesce(
        pg_catalog.quote_ident(a.attname), pg_catalog.pg_get_indexdef(i.indexrelid, key.position::int, true)
      )
      order by key.position
    ) filter (where key.position <= i.indnkeyatts) as keys,
    pg_catalog.array_agg(a.attname::text order by key.position)
      filter (where key.position <= i.indnkeyatts) as columns,
    coalesce(
      pg_catalog.array_agg(a.attname::text order by key.position)
        filter (where key.position > i.indnkeyatts),
      '{}'
    ) as included
  from pg_catalog.unnest(i.indkey::int2[]) with ordinality as key(attnum, position)
  left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum and key.attnum <> 0
) k
left join pg_catalog.pg_constraint con
  on con.conindid = i.indexrelid
  and con.conrelid = i.indrelid
  and con.contype in ('p', 'u', 'x')
left join pg_catalog.pg_description d
  on d.objoid = i.indexrelid
  and d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.objsubid = 0
order by i.indrelid, c.relname;
