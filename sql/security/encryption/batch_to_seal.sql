-- batch_to_seal: the next rows, in the order of the key, whose value is not sealed yet; they stay locked
select {key}, {identity}, {column}::text
from {table}
where {column} is not null
  and {sealed} is null
  and ({first} or ({key}) > ({after}))
order by {key}
limit {limit}
for update;
