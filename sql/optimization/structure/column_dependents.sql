-- column_dependents: what would notice if columns were gone, and which functions bear a word like their name
-- needs: PostgreSQL 13   parameters: tables oid[], names text[] (one for each table)
with columns as (
  select selected.number, a.attrelid, a.attnum, a.attname
  from rows from (
    pg_catalog.unnest(%(tables)s::oid[]),
    pg_catalog.unnest(%(names)s::text[])
  ) with ordinality as selected(oid, name, number)
  join pg_catalog.pg_attribute a on a.attrelid = selected.oid and a.attname = selected.name
),
depending as (
  select c.number, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) as name
  from columns c
  join pg_catalog.pg_depend d
    on d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjid = c.attrelid
    and d.refobjsubid = c.attnum
  where not (
    d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
    and exists (
      select
      from pg_catalog.pg_constraint con
      where con.oid = d.objid
        and con.contype = 'n'
    )
  )
  and not exists (
    select
    from pg_catalog.pg_attrdef own
    where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      and own.oid = d.objid
      and own.adrelid = c.attrelid
      and own.adnum = c.attnum
  )
  union
  select c.number, pg_catalog.format('function %%I.%%I, which mentions the word', n.nspname, p.proname)
  from columns c
  join pg_catalog.pg_proc p
    on pg_catalog.length(c.attname::text) > 2
    and pg_catalog.strpos(pg_catalog.lower(p.prosrc), pg_catalog.lower(c.attname)) > 0
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_language l on l.oid = p.prolang and l.lanname not in ('c', 'internal')
  where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
)
select d.number, pg_catalog.array_agg(distinct d.name order by d.name) as dependents
from depending d
group by d.number
order by d.number;
