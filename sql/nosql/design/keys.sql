-- keys: some of the keys that a pattern finds rows by, the mean number of rows a key, and how many keys
-- composed by workbench.documents.design.sampling
select
  g."workbench:mean",
  g."workbench:keys"{texts}
from (
  select
    pg_catalog.avg(pg_catalog.count(*)) over () as "workbench:mean",
    pg_catalog.count(*) over () as "workbench:keys",
    pg_catalog.row_number() over (order by pg_catalog.md5(pg_catalog.concat(pg_catalog.min(t::text)))) as "workbench:n"{columns}
  from {source} as t
  where {conditions}
  group by {grouped}
) as g
where g."workbench:n" <= {keys}
order by g."workbench:n"
