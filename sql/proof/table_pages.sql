-- table_pages: the pages that each table's rows take, a partitioned table's those of its partitions
-- needs: PostgreSQL 13
select
  n.nspname as schema,
  c.relname as name,
  case
    when c.relkind = 'p' then (
      select coalesce(sum(pg_catalog.pg_relation_size(p.relid)), 0)
      from pg_catalog.pg_partition_tree(c.oid) p
      where p.isleaf
    )
    else pg_catalog.pg_relation_size(c.oid)
  end::bigint / pg_catalog.current_setting('block_size')::bigint as pages
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)'
order by n.nspname, c.relname;
