-- batch_table: where the sealed values of a batch wait for their rows; it never holds a value in clear
create temporary table sealed_batch
on commit drop
as
select {key}, null::bytea as sealed_value, null::bytea as sealed_index
from {table}
with no data;
