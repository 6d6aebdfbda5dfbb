-- tables: what is known of each relation's pages and of the age of its statistics
-- needs: PostgreSQL 13
-- "may_read" tells a table without statistics from one whose statistics this role is not shown
select
  n.nspname as schema,
  c.relname as name,
  c.relpages as pages,
  c.relallvisible as visible_pages,
  c.reltuples >= 0 and (c.reltuples > 0 or c.relpages > 0) as analysed,
  pg_catalog.has_table_privilege(c.oid, 'select') as may_read,
  coalesce(t.relpages, 0) as toast_pages,
  greatest(s.last_analyze, s.last_autoanalyze) as analysed_at,
  coalesce(s.n_mod_since_analyze, 0) as modified_rows,
  coalesce(
    (
      select pg_catalog.array_agg(a.attname::text order by a.attnum)
      from pg_catalog.pg_partitioned_table p
      cross join lateral pg_catalog.unnest(p.partattrs::smallint[]) as k(attnum)
      join pg_catalog.pg_attribute a on a.attrelid = p.partrelid and a.attnum = k.attnum
      where p.partrelid = c.oid
    ),
    '{}'
  ) as partition_columns
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_class t on t.oid = c.reltoastrelid
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where c.relkind in ('r', 'p', 'm', 'f')
  and n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, c.relname;
