-- gone: rows that refer to a row of another owner, and must refer to one
delete from {table} c
using {parent} p
where {same_key}
    and p.{above} <> c.{own};
