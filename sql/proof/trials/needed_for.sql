-- needed_for: what existing indexes are needed for besides plans, a row a reason
-- needs: PostgreSQL 13   parameters: names text[], replaced_tables text[], replaced_columns text[],
--   ignored text[]
-- a foreign key's look-up counts where no other complete index of the table begins with its columns, in any
-- order; replaced_tables and replaced_columns are the indexes to come, the columns joined by line feeds, and
-- ignored ones are there and will go
with given as (
  select i.*, g.name as given
  from pg_catalog.unnest(%(names)s::text[]) as g(name)
  join pg_catalog.pg_index i on i.indexrelid = pg_catalog.to_regclass(g.name)
),
served as (
  select g.given, con.conname, con.confrelid, con.conrelid, con.conkey
  from given g
  join pg_catalog.pg_constraint con on con.conrelid = g.indrelid and con.contype = 'f'
  where g.indpred is null
    and con.conkey <@ (g.indkey::int2[])[0:pg_catalog.cardinality(con.conkey) - 1]
),
unserved as (
  select s.*
  from served s
  where not exists (
    select
    from pg_catalog.pg_index other
    where other.indrelid = s.conrelid
      and other.indisvalid
      and other.indpred is null
      and other.indexrelid not in (select g.indexrelid from given g)
      and not other.indexrelid = any (
        array(
          select pg_catalog.to_regclass(i.name)::oid
          from pg_catalog.unnest(%(ignored)s::text[]) as i(name)
          where pg_catalog.to_regclass(i.name) is not null
        )
      )
      and s.conkey <@ (other.indkey::int2[])[0:pg_catalog.cardinality(s.conkey) - 1]
  )
  and not exists (
    select
    from rows from (
      pg_catalog.unnest(%(replaced_tables)s::text[]),
      pg_catalog.unnest(%(replaced_columns)s::text[])
    ) as r(table_name, columns)
    where pg_catalog.to_regclass(r.table_name) = s.conrelid
      and (
        select pg_catalog.array_agg(a.attnum)
        from pg_catalog.unnest(s.conkey) as k(attnum)
        join pg_catalog.pg_attribute a on a.attrelid = s.conrelid and a.attnum = k.attnum
        where a.attname::text = any (
          (pg_catalog.string_to_array(r.columns, e'\n'))[1:pg_catalog.cardinality(s.conkey)]
        )
      ) @> s.conkey
  )
)
select
  g.given,
  case con.contype
    when 'f' then 'the foreign key ' || con.conname || ' of ' || con.conrelid::pg_catalog.regclass || ' refers to its columns'
    else 'it is the index of the constraint ' || con.conname
  end as reason
from given g
join pg_catalog.pg_constraint con on con.conindid = g.indexrelid
union all
select g.given, 'it is unique: without it duplicates could be written'
from given g
where g.indisunique
  and not exists (
    select
    from pg_catalog.pg_constraint con
    where con.conindid = g.indexrelid
  )
union all
select g.given, 'it is the replica identity of its table: logical replication finds rows by it'
from given g
where g.indisreplident
union all
select g.given, 'its table is clustered on it: CLUSTER without an index uses it'
from given g
where g.indisclustered
union all
select g.given, 'it is a part of the index ' || inh.inhparent::pg_catalog.regclass || ': drop that one'
from given g
join pg_catalog.pg_inherits inh on inh.inhrelid = g.indexrelid
union all
select g.given, 'it belongs to the extension ' || e.extname
from given g
join pg_catalog.pg_depend d
  on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and d.objid in (g.indexrelid, g.indrelid)
  and d.deptype = 'e'
join pg_catalog.pg_extension e on e.oid = d.refobjid
union all
select
  u.given,
  'a delete or key update in ' || u.confrelid::pg_catalog.regclass || ' finds the rows of the foreign key '
  || u.conname || ' by it, and by no other index'
from unserved u
order by given, reason;
