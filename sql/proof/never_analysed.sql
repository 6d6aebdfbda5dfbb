-- never_analysed: tables with pages and without statistics, of which the planner can only guess
-- needs: PostgreSQL 13
select
  n.nspname as schema,
  c.relname as name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm', 'p')
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)'
  and (c.relkind = 'p' or pg_catalog.pg_relation_size(c.oid) > 0)
  and not exists (
    select
    from pg_catalog.pg_statistic s
    where s.starelid = c.oid
  )
order by n.nspname, c.relname;
