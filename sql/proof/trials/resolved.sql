-- resolved: the indexes that the given names mean, none where there is no such index
-- needs: PostgreSQL 13   parameters: names text[]
select
  given.name as given,
  n.nspname as schema,
  c.relname as name,
  tn.nspname as table_schema,
  t.relname as "table",
  c.relkind = 'I' as partitioned,
  i.indisvalid as valid,
  pg_catalog.pg_get_indexdef(i.indexrelid) as definition,
  case
    when c.relkind = 'I' then (
      select coalesce(sum(pg_catalog.pg_relation_size(p.relid, 'main')), 0)::bigint
      from pg_catalog.pg_partition_tree(c.oid) p
      where p.isleaf
    )
    else pg_catalog.pg_relation_size(c.oid, 'main')
  end as size_bytes
from pg_catalog.unnest(%(names)s::text[]) with ordinality as given(name, position)
join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(given.name)
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_index i on i.indexrelid = c.oid
join pg_catalog.pg_class t on t.oid = i.indrelid
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
order by given.position;
