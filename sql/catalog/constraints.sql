-- constraints: those declared on the relations, a partition's copies of its parent's among them
-- needs: PostgreSQL 13   parameters: relations oid[]
-- left out: the rows with which a foreign key to a partitioned table names each of the partitions
select
  con.conrelid as oid,
  con.conname as name,
  case con.contype
    when 'p' then 'primary key'
    when 'u' then 'unique'
    when 'f' then 'foreign key'
    when 'c' then 'check'
    when 'x' then 'exclusion'
    when 'n' then 'not null'
  end as kind,
  coalesce((
    select pg_catalog.array_agg(a.attname::text order by k.position)
    from pg_catalog.unnest(con.conkey) with ordinality as k(attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = k.attnum
  ), '{}') as columns,
  coalesce(pg_catalog.pg_get_constraintdef(con.oid), '') as definition,
  con.convalidated as validated,
  coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true) as enforced, -- from PostgreSQL 18
  con.condeferrable as deferrable,
  con.condeferred as initially_deferred,
  con.conparentid <> 0 or not con.conislocal as inherited,
  case when con.contype = 'f' then array[fn.nspname::text, fc.relname::text] end as references,
  coalesce((
    select pg_catalog.array_agg(a.attname::text order by k.position)
    from pg_catalog.unnest(con.confkey) with ordinality as k(attnum, position)
    join pg_catalog.pg_attribute a on a.attrelid = con.confrelid and a.attnum = k.attnum
  ), '{}') as referenced_columns,
  case con.confdeltype
    when 'a' then 'no action'
    when 'r' then 'restrict'
    when 'c' then 'cascade'
    when 'n' then 'set null'
    when 'd' then 'set default'
    else ''
  end as on_delete,
  case con.confupdtype
    when 'a' then 'no action'
    when 'r' then 'restrict'
    when 'c' then 'cascade'
    when 'n' then 'set null'
    when 'd' then 'set default'
    else ''
  end as on_update,
  d.description as comment
from pg_catalog.unnest(%(relations)s::oid[]) as selected(oid)
join pg_catalog.pg_constraint con on con.conrelid = selected.oid
left join pg_catalog.pg_constraint parent on parent.oid = con.conparentid
left join pg_catalog.pg_class fc on fc.oid = con.confrelid
left join pg_catalog.pg_namespace fn on fn.oid = fc.relnamespace
left join pg_catalog.pg_description d
  on d.objoid = con.oid
  and d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
  and d.objsubid = 0
where con.contype in ('p', 'u', 'f', 'c', 'x', 'n')
  and parent.conrelid is distinct from con.conrelid
order by con.conrelid, pg_catalog.strpos('pufcxn', con.contype::text), con.conname;
