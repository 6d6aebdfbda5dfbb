-- trial_indexes: the indexes of the trial's table that an update of the columns would have to change
-- needs: PostgreSQL 13   parameters: name text, columns text[], original oid (of the table that was copied)
-- original_name is that of the same index of the original; BRIN stands in no way from PostgreSQL 16 on
with indexes as (
  select
    i.indrelid,
    i.indexrelid,
    ic.relname,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) as predicate,
    i.indclass::text as classes,
    i.indisunique,
    (
      select pg_catalog.array_agg(
        pg_catalog.pg_get_indexdef(i.indexrelid, position, false) order by position
      )
      from pg_catalog.generate_series(1, i.indnatts::int) as u(position)
    ) as keys,
    am.amname
  from pg_catalog.pg_index i
  join pg_catalog.pg_class ic on ic.oid = i.indexrelid
  join pg_catalog.pg_am am on am.oid = ic.relam
  where not (am.amname = 'brin' and pg_catalog.current_setting('server_version_num')::int >= 160000)
)
select
  i.relname as name,
  coalesce(pg_catalog.min(o.relname::text), i.relname) as original_name
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join indexes i on i.indrelid = c.oid
left join indexes o
  on o.indrelid = %(original)s
  and o.keys = i.keys
  and o.classes = i.classes
  and o.amname = i.amname
  and o.indisunique = i.indisunique
  and o.predicate is not distinct from i.predicate
where n.nspname = 'workbench_trial'
  and c.relname = %(name)s
  and not exists (
    select
    from pg_catalog.pg_constraint con
    where con.conindid = i.indexrelid
      and con.conrelid = c.oid
  )
  and exists (
    select
    from pg_catalog.pg_depend d
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = i.indexrelid
      and d.refobjid = c.oid
      and a.attname = any(%(columns)s::text[])
  )
group by i.relname
order by i.relname;
