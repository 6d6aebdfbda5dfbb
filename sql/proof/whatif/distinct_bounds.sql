-- distinct_bounds: sets of columns whose values are all different, or no more than another table's rows
-- needs: PostgreSQL 18   parameters: tables oid[]
select i.indrelid as table_oid, 'unique' as kind, i.indisprimary or not exists (
    select
    from pg_catalog.unnest(i.indkey::smallint[]) with ordinality as key(attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum
    where key.place <= i.indnkeyatts
      and not a.attnotnull
  ) as is_whole,
  array(
    select pg_catalog.quote_ident(a.attname)
    from pg_catalog.unnest(i.indkey::smallint[]) with ordinality as key(attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum
    where key.place <= i.indnkeyatts
    order by key.place
  ) as columns,
  t.reltuples as most
from pg_catalog.pg_index i
join pg_catalog.pg_class t on t.oid = i.indrelid
where i.indrelid = any (%(tables)s::oid[])
  and i.indisunique
  and i.indimmediate
  and i.indpred is null
  and i.indexprs is null
union all
select con.conrelid, 'foreign', true,
  array(
    select pg_catalog.quote_ident(a.attname)
    from pg_catalog.unnest(con.conkey) as key(attnum)
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.attnum
    order by a.attname
  ),
  r.reltuples
from pg_catalog.pg_constraint con
join pg_catalog.pg_class r on r.oid = con.confrelid
where con.conrelid = any (%(tables)s::oid[])
  and con.contype = 'f'
  and r.reltuples > 0
order by table_oid, kind, columns;
