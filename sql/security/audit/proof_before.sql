-- proof_before: the rows of a table as they are, by key, to be compared with what a statement makes of them
-- placeholders: table, key, record
create temporary table audit_before on commit drop as
select {key} as row_key, {record} as record
from {table} t
