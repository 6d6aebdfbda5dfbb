-- batch_put: the values of a batch, each into its row
update {table} t
set {assignments}
from pg_temp.sealed_batch b
where {same_row};
