-- adopted: rows that get the owner of the row that they refer to
update {table} c
set {own} = p.{above}
from {parent} p
where {same_key}
    and p.{above} <> c.{own};
