-- parted: rows that refer no more to a row of another owner, but to nothing or to themselves
update {table} c
set {instead}
from {parent} p
where {same_key}
    and p.{above} <> c.{own};
