-- table_statistics: the rows of each table by the planner's count, a partitioned table's those of its partitions
-- needs: PostgreSQL 13
select
  n.nspname as schema,
  c.relname as name,
  case
    when c.relkind = 'p' then (
      select coalesce(sum(greatest(leaf.reltuples, 0)), 0)
      from pg_catalog.pg_partition_tree(c.oid) p
      join pg_catalog.pg_class leaf on leaf.oid = p.relid
      where p.isleaf
    )
    else c.reltuples
  end::float8 as rows
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)'
  and case
    when c.relkind = 'p' then exists (
      select
      from pg_catalog.pg_partition_tree(c.oid) p
      join pg_catalog.pg_class leaf on leaf.oid = p.relid
      where p.isleaf
        and leaf.reltuples >= 0
    )
    -- before version 14 a table that was never analysed has 0 rows, too
    else c.reltuples > 0 or (c.reltuples = 0 and pg_catalog.current_setting('server_version_num')::int >= 140000)
  end
order by n.nspname, c.relname;
