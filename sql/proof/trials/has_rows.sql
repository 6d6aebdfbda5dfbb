-- has_rows: how many tables there are, and how many of them have pages
-- needs: PostgreSQL 13
select
  count(*) as tables,
  count(*) filter (where pg_catalog.pg_relation_size(c.oid) > 0) as filled
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r'
  and n.nspname not in ('pg_catalog', 'information_schema')
  and n.nspname !~ '^pg_(toast|temp)';
