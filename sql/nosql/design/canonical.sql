-- canonical: a value as the server writes it in a column's type, which the first branch gives
-- composed by workbench.documents.design.sampling
select {text}
from (
  select {column} as value from {source} as t where false
  union all
  select {value}
) as v
