-- computed: the count and the sums of the children, by the number of the row above
-- composed by workbench.documents.design.rows
select p.{n}, {values}
from {source} as c
join ({above}) as p on {joined}
group by p.{n}
order by p.{n}
