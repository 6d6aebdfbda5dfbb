-- indexes: the indexes of the tables, with their size, their use, and what else than queries needs them
-- needs: PostgreSQL 13   parameters: tables oid[]
-- a partition's index bears the root index that it belongs to; supports_key: its first keys are the columns
-- of a foreign key, whose checks use it when a referenced row goes
select
  i.indexrelid as oid,
  i.indrelid as table_oid,
  n.nspname as schema,
  ic.relname as name,
  am.amname as method,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, ic.relname) as title,
  coalesce(root.oid, i.indexrelid) as root,
  coalesce(rn.nspname, n.nspname) as root_schema,
  coalesce(root.relname, ic.relname) as root_name,
  pg_catalog.format(
    '%%I.%%I.%%I', coalesce(rn.nspname, n.nspname), coalesce(rt.relname, c.relname),
    coalesce(root.relname, ic.relname)
  ) as root_title,
  i.indkey::int2[] as columns,
  i.indnkeyatts as key_columns,
  i.indexprs is not null as has_expressions,
  i.indpred is not null as is_partial,
  i.indisunique as is_unique,
  i.indisunique or i.indisexclusion or i.indisreplident or i.indisclustered or exists (
    select
    from pg_catalog.pg_constraint con
    where con.conindid = i.indexrelid
      and con.contype in ('p', 'u', 'x', 'f')
  ) as is_needed,
  i.indisvalid and i.indisready and i.indislive as is_valid,
  exists (
    select
    from pg_catalog.pg_constraint f
    where f.conrelid = i.indrelid
      and f.contype = 'f'
      and (i.indkey::int2[])[0:pg_catalog.cardinality(f.conkey) - 1] @> f.conkey
  ) as supports_key,
  pg_catalog.pg_relation_size(i.indexrelid) as size_bytes,
  case when ic.reltuples < 0 then null else ic.reltuples::float8 end as rows,
  ic.relpages as pages,
  coalesce(
    (
      select o.option_value::int
      from pg_catalog.pg_options_to_table(ic.reloptions) o
      where o.option_name = 'fillfactor'
    ),
    90
  ) as fill_percent,
  coalesce(
    (
      select o.option_value in ('on', 'true', '1', 'yes')
      from pg_catalog.pg_options_to_table(ic.reloptions) o
      where o.option_name = 'deduplicate_items'
    ),
    true
  ) as deduplicates,
  coalesce(s.idx_scan, 0) as scans,
  pg_catalog.pg_get_indexdef(coalesce(root.oid, i.indexrelid)) as definition
from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
join pg_catalog.pg_index i on i.indrelid = selected.oid
join pg_catalog.pg_class c on c.oid = i.indrelid
join pg_catalog.pg_class ic on ic.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = ic.relnamespace
join pg_catalog.pg_am am on am.oid = ic.relam
left join pg_catalog.pg_class root
  on root.oid = case when ic.relispartition then pg_catalog.pg_partition_root(ic.oid) end
left join pg_catalog.pg_index ri on ri.indexrelid = root.oid
left join pg_catalog.pg_class rt on rt.oid = ri.indrelid
left join pg_catalog.pg_namespace rn on rn.oid = root.relnamespace
left join pg_catalog.pg_stat_all_indexes s on s.indexrelid = i.indexrelid
order by i.indrelid, ic.relname;
