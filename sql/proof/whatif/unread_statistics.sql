-- unread_statistics: tables that the login may read and of whose columns it sees no statistics, and why
-- needs: PostgreSQL 13   parameters: none
-- near miss: an empty table; a column that ANALYZE passes over, as its statistics target is 0
with tables as (
  select c.oid, n.nspname as schema_name, c.relname as table_name, c.relkind as kind, c.reltuples as rows, c.relpages as pages,
    case when c.relkind in ('r', 'm') then pg_catalog.pg_relation_size(c.oid) / 8192 else 0 end as blocks,
    c.relrowsecurity and pg_catalog.row_security_active(c.oid) as row_security,
    (
      select pg_catalog.count(*)
      from pg_catalog.pg_stats s
      where s.schemaname = n.nspname
        and s.tablename = c.relname
    ) as columns_seen
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'm', 'p')
    and c.relpersistence <> 't'
    and n.nspname <> 'information_schema'
    and n.nspname !~ '^pg_'
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
    and pg_catalog.has_table_privilege(c.oid, 'select')
)
select t.schema_name, t.table_name,
  case when t.row_security then 'row security' else 'never analysed' end as reason
from tables t
where (t.row_security and t.columns_seen = 0)
  or (t.columns_seen = 0 and t.kind <> 'p' and t.rows <= 0 and t.blocks > t.pages)
order by t.schema_name, t.table_name;
