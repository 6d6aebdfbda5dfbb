-- proof_expected: how many rows came, changed and went since then, whatever way they did
-- placeholders: table, key, record
with now_there as (
    select {key} as row_key, {record} as record
    from {table} t
),
before as (
    select b.*, pg_catalog.row_number() over (partition by b.row_key order by b.record) as copy
    from pg_temp.audit_before b
),
after as (
    select n.*, pg_catalog.row_number() over (partition by n.row_key order by n.record) as copy
    from now_there n
)
select
    pg_catalog.count(*) filter (where b.record is null) as inserted,
    pg_catalog.count(*) filter (where b.record <> a.record) as updated,
    pg_catalog.count(*) filter (where a.record is null) as deleted
from before b
full join after a on a.row_key = b.row_key and a.copy = b.copy
