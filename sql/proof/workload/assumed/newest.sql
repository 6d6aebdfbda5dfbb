-- newest: the newest rows with a key; formatted with table, condition, moment
select *
from {table}
where {condition}
order by {moment} desc
limit 20
