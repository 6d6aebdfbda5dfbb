-- sample_values: what some rows of a table have for expressions, the same rows at every call
-- needs: PostgreSQL 13   composed: expressions, table, looked_at, most
select array[{expressions}]
from (select * from {table} limit {looked_at}) as looked_at
order by pg_catalog.hashtextextended(looked_at::text, 0)
limit {most}
