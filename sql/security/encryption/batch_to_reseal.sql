-- batch_to_reseal: the next rows, in the order of the key, that one of the former keys has sealed; they stay locked
select {key}, null::text, {sealed}
from {table}
where pg_catalog.substring({sealed}, 3, 32) = any ({former})
  and ({first} or ({key}) > ({after}))
order by {key}
limit {limit}
for update;
