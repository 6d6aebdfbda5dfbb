-- proof_before: the rows of a table as they are, by key, to be compared with what a statement makes of them
-- placeholders: table, key, omitted
create temporary table audit_before on commit drop as
select {key} as row_key, (pg_catalog.to_jsonb(t) - {omitted})::text as record
from {table} t
