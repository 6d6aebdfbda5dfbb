-- computed_rows: of each row above its key, the count and the sums of its children
-- composed by workbench.documents.design.rows
select pg_catalog.count({counted}) as count{sums}{key}
from ({above}) as p
left join {source} as c on {joined}
group by p.{n}{key}
