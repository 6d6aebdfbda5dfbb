-- relations: what the planner reads of each table, materialized view and index, and its real length
-- needs: PostgreSQL 13   parameters: none   fields: blocks (the length of the main fork)
select n.nspname as schema_name, c.relname as relation_name, c.relkind as kind, c.relpages as pages,
  c.reltuples as rows, c.relallvisible as pages_visible,
  case
    when c.relkind in ('r', 'm', 'i', 't') then {blocks}
    else 0
  end as blocks,
  n.nspname !~ '^pg_toast' as named,
  pg_catalog.has_schema_privilege(n.oid, 'usage')
    and (c.relkind not in ('r', 'm', 'p', 'f') or pg_catalog.has_table_privilege(c.oid, 'select')) as readable
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'f', 'i', 'I')
  and c.relpersistence <> 't'
  and n.nspname <> 'information_schema'
  and n.nspname !~ '^pg_'
order by n.nspname, c.relname;
