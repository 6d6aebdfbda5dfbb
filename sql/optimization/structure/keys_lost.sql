-- keys_lost: the keys of a table that cannot stay as they are if it is partitioned by a column
-- needs: PostgreSQL 13   parameters: table oid, column text
-- a unique key of a partitioned table must hold the partition key; so what references another key goes too
with keys as (
  select con.oid, con.conname, con.conkey, con.conindid
  from pg_catalog.pg_constraint con
  where con.conrelid = %(table)s
    and con.contype in ('p', 'u', 'x')
    and not exists (
      select
      from pg_catalog.pg_attribute a
      where a.attrelid = con.conrelid
        and a.attname = %(column)s
        and a.attnum = any(con.conkey)
    )
)
select pg_catalog.format('%%s (%%s)', k.conname, pg_catalog.pg_get_constraintdef(k.oid)) as name
from keys k
union all
select pg_catalog.format('%%s of %%s (%%s)', f.conname, f.conrelid::pg_catalog.regclass,
  pg_catalog.pg_get_constraintdef(f.oid))
from pg_catalog.pg_constraint f
where f.confrelid = %(table)s
  and f.contype = 'f'
  and f.conindid in (select k.conindid from keys k)
order by name;
