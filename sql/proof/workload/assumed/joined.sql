-- joined: a parent with its children; formatted with parent, child, joined, condition
select *
from {parent} as parent
join {child} as child on {joined}
where {condition}
