-- foreign_key_type_mismatch: foreign keys whose column has another type than the column it references
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: another length or precision of one type; a domain over the same type; varchar for text; a
-- partition's copy
with recursive bases as (
  select t.oid as type, t.oid as base, t.typtype, t.typbasetype
  from pg_catalog.pg_type t
  where t.typtype = 'd'
  union all
  select b.type, t.oid, t.typtype, t.typbasetype
  from bases b
  join pg_catalog.pg_type t on t.oid = b.typbasetype
  where b.typtype = 'd'
),
base_types as (
  select b.type, b.base
  from bases b
  where b.typtype <> 'd'
),
mismatched as (
  select
    con.oid,
    con.conname,
    con.conrelid,
    con.confrelid,
    k.position,
    a.attname,
    ra.attname as referenced_column,
    coalesce(b.base, a.atttypid) as type,
    coalesce(rb.base, ra.atttypid) as referenced_type,
    pg_catalog.format_type(ra.atttypid, ra.atttypmod) as new_type,
    pg_catalog.format_type(a.atttypid, a.atttypmod) as old_type
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_constraint con
    on con.conrelid = selected.oid
    and con.contype = 'f'
    and con.conparentid = 0
  cross join lateral rows from (
    pg_catalog.unnest(con.conkey),
    pg_catalog.unnest(con.confkey)
  ) with ordinality as k(attnum, referenced, position)
  join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = k.attnum
  join pg_catalog.pg_attribute ra on ra.attrelid = con.confrelid and ra.attnum = k.referenced
  left join base_types b on b.type = a.atttypid
  left join base_types rb on rb.type = ra.atttypid
  where coalesce(b.base, a.atttypid) <> coalesce(rb.base, ra.atttypid)
    and not exists (
      select
      from pg_catalog.pg_cast c
      where c.castmethod = 'b'
        and c.castcontext = 'i'
        and (c.castsource, c.casttarget) in (
          (coalesce(b.base, a.atttypid), coalesce(rb.base, ra.atttypid)),
          (coalesce(rb.base, ra.atttypid), coalesce(b.base, a.atttypid))
        )
    )
),
grouped as (
  select
    coalesce(pg_catalog.pg_partition_root(m.conrelid), m.conrelid)::oid as root,
    m.attname,
    m.confrelid,
    m.referenced_column,
    m.type,
    m.referenced_type,
    m.old_type,
    m.new_type,
    pg_catalog.count(distinct m.conrelid) as tables,
    pg_catalog.min(m.conrelid) as some_table,
    pg_catalog.min(m.conname::text) as conname,
    pg_catalog.array_agg(distinct m.conname::text) as constraints
  from mismatched m
  group by
    root, m.attname, m.confrelid, m.referenced_column, m.type, m.referenced_type, m.old_type, m.new_type
)
select
  'foreign_key_type_mismatch' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, g.attname) as object,
  pg_catalog.format(
    '%%I.%%I.%%I is %%s, the key %%I.%%I.%%I it references is %%s',
    n.nspname, c.relname, g.attname, g.old_type, rn.nspname, rc.relname, g.referenced_column, g.new_type
  ) as title,
  'The two columns hold the same values and should have the same type. A narrower one refuses keys '
  'that the referenced table can hold, a wider one promises values that can never be there, and '
  'where the types are of different kinds each comparison converts one side, so that an index on '
  'that side cannot be used. Source: PostgreSQL manual, 5.5.5 Foreign Keys, 10.2 Operators.' as why,
  pg_catalog.format(
    'alter table %%I.%%I alter column %%I type %%s', n.nspname, c.relname, g.attname, g.new_type
  )
  || case
    when ft.typname in ('int2', 'int4', 'int8') and rt.typname in ('int2', 'int4', 'int8') then ''
    else pg_catalog.format(' using %%I::%%s', g.attname, g.new_type)
  end
  || ';' as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'column', g.attname,
    'type', g.old_type,
    'constraints', g.constraints,
    'referenced_schema', rn.nspname,
    'referenced_table', rc.relname,
    'referenced_column', g.referenced_column,
    'referenced_type', g.new_type,
    'retyped', pg_catalog.jsonb_build_array(pg_catalog.jsonb_build_array(n.nspname, c.relname, g.attname)),
    'maximum', case
      when ft.typlen < rt.typlen
        and ft.oid in ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype)
        and rt.oid in ('int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)
        then (1::bigint << (8 * ft.typlen - 1)) - 1
    end
  ) as details
from grouped g
join pg_catalog.pg_class c on c.oid = case when g.tables = 1 then g.some_table else g.root end
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class rc on rc.oid = g.confrelid
join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
join pg_catalog.pg_type ft on ft.oid = g.type
join pg_catalog.pg_type rt on rt.oid = g.referenced_type
order by object, title;
