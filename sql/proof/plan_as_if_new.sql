-- plan_as_if_new: let the planner take empty tables for new ones, for which it assumes ten pages
-- needs: PostgreSQL 18
-- it would take an analysed empty table for empty for ever, and any index for as good as another
select pg_catalog.pg_clear_relation_stats(n.nspname::text, c.relname::text)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and c.reltuples = 0
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)'
  and pg_catalog.pg_has_role(c.relowner, 'usage')
  and pg_catalog.pg_relation_size(c.oid) = 0;
