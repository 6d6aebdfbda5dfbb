-- batch_to_check: the rows of a column before it is dropped, in clear and sealed, in the order of the key
select {key}, {sealed}, {column}::text
from {table}
where {column} is not null
  and ({first} or ({key}) > ({after}))
order by {key}
limit {limit};
