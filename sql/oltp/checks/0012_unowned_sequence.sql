-- unowned_sequence: sequences that feed one column and are not owned by it
-- level: info   needs: PostgreSQL 13   parameters: tables oid[], schemas oid[]
-- near miss: a sequence that several columns share; one that no default uses, which the application may; one
-- in another schema than the table, which cannot be owned by it; a serial or an identity; a partition's copy
-- of the default
with uses as (
  select distinct
    d.refobjid as seqrelid,
    coalesce(pg_catalog.pg_partition_root(ad.adrelid), ad.adrelid)::oid as relid,
    a.attname
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attrdef ad on ad.oid = d.objid
  join pg_catalog.pg_attribute a on a.attrelid = ad.adrelid and a.attnum = ad.adnum
  where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.deptype = 'n'
),
single as (
  select u.seqrelid, pg_catalog.min(u.relid) as relid, pg_catalog.min(u.attname::text) as attname
  from uses u
  group by u.seqrelid
  having pg_catalog.count(*) = 1
)
select
  'unowned_sequence' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I', sn.nspname, s.relname) as object,
  pg_catalog.format(
    'the sequence %%I.%%I feeds %%I.%%I.%%I alone and is not owned by it',
    sn.nspname, s.relname, n.nspname, c.relname, u.attname
  ) as title,
  'The sequence stays behind when the table or the column is dropped, TRUNCATE ... RESTART IDENTITY '
  'leaves it out, and pg_get_serial_sequence does not find it. Source: PostgreSQL manual, CREATE '
  'SEQUENCE, OWNED BY; 8.1.4 Serial Types.' as why,
  case
    when s.relowner = c.relowner then ''
    else
      pg_catalog.format(
        E'alter sequence %%I.%%I owner to %%I;\n',
        sn.nspname, s.relname, pg_catalog.pg_get_userbyid(c.relowner)
      )
  end
  || pg_catalog.format(
    'alter sequence %%I.%%I owned by %%I.%%I.%%I;', sn.nspname, s.relname, n.nspname, c.relname, u.attname
  ) as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'column', u.attname,
    'sequence_schema', sn.nspname,
    'sequence', s.relname
  ) as details
from single u
join pg_catalog.unnest(%(tables)s::oid[]) as selected(oid) on selected.oid = u.relid
join pg_catalog.pg_class s on s.oid = u.seqrelid and s.relkind = 'S'
join pg_catalog.pg_namespace sn on sn.oid = s.relnamespace
join pg_catalog.pg_class c on c.oid = u.relid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where s.relnamespace = any(%(schemas)s::oid[])
  and s.relnamespace = c.relnamespace
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = s.oid
      and d.deptype in ('a', 'i', 'e')
  )
order by object;
