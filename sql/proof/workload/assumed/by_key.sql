-- by_key: the rows of a table with a key; formatted with table, condition
select *
from {table}
where {condition}
