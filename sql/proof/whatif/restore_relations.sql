-- restore_relations: pages and rows of relations, as the source's catalog has them
-- needs: PostgreSQL 18   parameters: relations json
select given.schema_name, given.relation_name,
  pg_catalog.pg_restore_relation_stats(
    'schemaname', given.schema_name, 'relname', given.relation_name,
    'relpages', given.pages, 'reltuples', given.rows, 'relallvisible', given.pages_visible
  ) as restored
from pg_catalog.json_to_recordset(%(relations)s::json) as given(
  schema_name text, relation_name text, pages integer, rows real, pages_visible integer
)
join pg_catalog.pg_namespace n on n.nspname = given.schema_name
join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = given.relation_name
order by given.schema_name, given.relation_name;
