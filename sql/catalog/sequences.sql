-- sequences: the sequences of the schemas and the columns that own them
-- needs: PostgreSQL 13   parameters: schemas oid[]
-- the last value is null before the first use, and where this role may not read it
select
  n.nspname as schema,
  c.relname as name,
  pg_catalog.format_type(q.seqtypid, null) as type,
  s.last_value,
  q.seqmin as minimum,
  q.seqmax as maximum,
  q.seqincrement as increment,
  q.seqcycle as cycles,
  case when o.oid is not null then array[owner_n.nspname::text, o.relname::text, a.attname::text] end
    as owned_by,
  coalesce(owned.deptype = 'i', false) as identity
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_sequence q on q.seqrelid = c.oid
join pg_catalog.pg_sequences s on s.schemaname = n.nspname and s.sequencename = c.relname
left join pg_catalog.pg_depend owned
  on owned.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and owned.objid = c.oid
  and owned.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
  and owned.refobjsubid > 0
  and owned.deptype in ('a', 'i')
left join pg_catalog.pg_class o on o.oid = owned.refobjid
left join pg_catalog.pg_namespace owner_n on owner_n.oid = o.relnamespace
left join pg_catalog.pg_attribute a on a.attrelid = o.oid and a.attnum = owned.refobjsubid
where c.relkind = 'S'
  and c.relnamespace = any(%(schemas)s::oid[])
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = c.oid
      and d.deptype = 'e'
  )
order by n.nspname, c.relname;
