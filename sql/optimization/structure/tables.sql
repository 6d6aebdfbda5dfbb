-- tables: what holds rows, with its size, its storage options, and what was done to it since the last reset
-- needs: PostgreSQL 13   parameters: schemas oid[]
-- partitions each for themselves, with the root that they belong to; the server's counts that an older
-- version lacks are null; left out: temporary tables and members of extensions
select
  c.oid,
  n.nspname as schema,
  c.relname as name,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as title,
  c.relkind = 'm' as is_view,
  c.relpersistence = 'u' as is_unlogged,
  root.oid as root,
  coalesce(root.relname, c.relname) as root_name,
  pg_catalog.format('%%I.%%I', coalesce(rn.nspname, n.nspname), coalesce(root.relname, c.relname)) as root_title,
  c.relpages as pages,
  case
    when c.reltuples < 0 then null
    when c.relpages = 0 and pg_catalog.current_setting('server_version_num')::int < 140000 then null
    else c.reltuples::float8
  end as rows,
  c.reltoastrelid as toast_oid,
  pg_catalog.pg_relation_size(c.oid) as heap_bytes,
  case when c.reltoastrelid = 0 then 0 else pg_catalog.pg_total_relation_size(c.reltoastrelid) end as toast_bytes,
  pg_catalog.pg_indexes_size(c.oid) as index_bytes,
  pg_catalog.pg_total_relation_size(c.oid) as total_bytes,
  coalesce(
    (
      select pg_catalog.jsonb_object_agg(o.option_name, o.option_value)
      from pg_catalog.pg_options_to_table(c.reloptions) o
    ),
    '{}'
  ) as options,
  pg_catalog.age(c.relfrozenxid) as xid_age,
  pg_catalog.mxid_age(c.relminmxid) as multixact_age,
  pg_catalog.age(t.relfrozenxid) as toast_xid_age,
  coalesce(s.n_live_tup, 0) as live,
  coalesce(s.n_dead_tup, 0) as dead,
  coalesce(s.n_mod_since_analyze, 0) as changed_since_analyze,
  coalesce(s.n_ins_since_vacuum, 0) as inserted_since_vacuum,
  coalesce(s.n_tup_ins, 0) as inserted,
  coalesce(s.n_tup_upd, 0) as updated,
  coalesce(s.n_tup_del, 0) as deleted,
  coalesce(s.n_tup_hot_upd, 0) as hot_updated,
  (pg_catalog.to_jsonb(s) ->> 'n_tup_newpage_upd')::bigint as newpage_updated, -- from PostgreSQL 16
  coalesce(s.seq_scan, 0) as table_scans,
  coalesce(s.idx_scan, 0) as index_scans,
  greatest(s.last_vacuum, s.last_autovacuum) as vacuumed_at,
  greatest(s.last_analyze, s.last_autoanalyze) as analyzed_at
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_class root
  on root.oid = case when c.relispartition then pg_catalog.pg_partition_root(c.oid) end
left join pg_catalog.pg_namespace rn on rn.oid = root.relnamespace
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid and c.reltoastrelid <> 0
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'm')
  and c.relpersistence <> 't'
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
order by n.nspname, c.relname;
