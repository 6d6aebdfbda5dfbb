-- never_analysed: own tables with pages and without statistics, of which the planner can only guess
-- needs: PostgreSQL 13
-- an index that was built has counted the rows, and knows nothing of the values
with analysed as materialized (
  select s.schemaname, s.tablename
  from pg_catalog.pg_stats s
  group by s.schemaname, s.tablename
)
select
  n.nspname as schema,
  c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join analysed a on a.schemaname = n.nspname and a.tablename = c.relname
where n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)'
  and pg_catalog.pg_has_role(c.relowner, 'usage')
  and c.relkind in ('r', 'm', 'p')
  and (c.relkind = 'p' or pg_catalog.pg_relation_size(c.oid) > 0)
  and a.tablename is null
order by n.nspname, c.relname;
