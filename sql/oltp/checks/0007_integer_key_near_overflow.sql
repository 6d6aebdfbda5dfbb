-- integer_key_near_overflow: integer keys and sequences that have used most of their numbers
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[], schemas oid[]
-- near miss: less than 70 in a hundred used; a bigint; a sequence that cycles; one never used; one that this
-- role may not read; an integer column that is no key
-- the numbers used are the sequence's last value or the largest value in the statistics, whichever is more;
-- the fix widens the columns that reference the key as well; an error from 90 in a hundred
with recursive integer_columns as (
  select
    c.oid as relid,
    a.attnum,
    n.nspname,
    c.relname,
    a.attname,
    a.atttypid,
    case a.attlen when 2 then 32767 when 4 then 2147483647 else 9223372036854775807 end::numeric
      as type_maximum,
    (
      select pg_catalog.max(bound.value)
      from pg_catalog.pg_stats s
      cross join lateral pg_catalog.unnest(
        (s.histogram_bounds::text::text[])[pg_catalog.array_upper(s.histogram_bounds::text::text[], 1):]
        || s.most_common_vals::text::text[]
      ) as bounds(text_value)
      cross join lateral (select bounds.text_value::numeric as value) as bound
      where s.schemaname = n.nspname
        and s.tablename = c.relname
        and s.attname = a.attname
    ) as largest,
    exists (
      select
      from pg_catalog.pg_constraint con
      where con.conrelid = c.oid
        and con.contype in ('p', 'u', 'f')
        and a.attnum = any(con.conkey)
    ) as is_key
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where not c.relispartition
    and a.atttypid in ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)
),
sequences as (
  select
    c.oid as seqrelid,
    n.nspname,
    c.relname,
    q.seqtypid,
    q.seqmax,
    q.seqmin,
    q.seqincrement,
    q.seqcycle,
    s.last_value
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_sequence q on q.seqrelid = c.oid
  join pg_catalog.pg_sequences s on s.schemaname = n.nspname and s.sequencename = c.relname
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relpersistence <> 't'
    and q.seqincrement > 0
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        and d.objid = c.oid
        and d.deptype = 'e'
    )
),
feeds as (
  select
    d.refobjid as seqrelid,
    ad.adrelid as relid,
    ad.adnum as attnum,
    false as identity
  from pg_catalog.pg_depend d
  join pg_catalog.pg_attrdef ad on ad.oid = d.objid
  where d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.deptype = 'n'
  union all
  select d.objid, d.refobjid, d.refobjsubid, true
  from pg_catalog.pg_depend d
  where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjsubid > 0
    and d.deptype = 'i'
),
column_use as (
  select
    ic.*,
    s.seqrelid,
    s.nspname as sequence_schema,
    s.relname as sequence_name,
    s.seqtypid,
    s.seqmax,
    s.last_value,
    f.identity,
    least(ic.type_maximum, case when s.seqcycle then null else s.seqmax end) as capacity,
    greatest(ic.largest, case when s.seqcycle then null else s.last_value end) as used
  from integer_columns ic
  left join feeds f on f.relid = ic.relid and f.attnum = ic.attnum
  left join sequences s on s.seqrelid = f.seqrelid
  where (ic.is_key or s.seqrelid is not null)
    and s.seqcycle is not true
),
near as (
  select distinct on (u.relid, u.attnum) u.*, u.used / u.capacity as ratio
  from column_use u
  where u.used >= 0.7 * u.capacity
    and u.used <= u.type_maximum
  order by u.relid, u.attnum, u.used desc
),
followers as (
  select n.relid as root, n.attnum as root_attnum, n.relid, n.attnum, 0 as depth
  from near n
  union
  select f.root, f.root_attnum, con.conrelid, key.attnum, f.depth + 1
  from followers f
  join pg_catalog.pg_constraint con on con.confrelid = f.relid and con.contype = 'f' and con.conparentid = 0
  cross join lateral rows from (
    pg_catalog.unnest(con.conkey),
    pg_catalog.unnest(con.confkey)
  ) as key(attnum, referenced)
  join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.attnum
  where key.referenced = f.attnum
    and a.atttypid in ('int2'::pg_catalog.regtype, 'int4'::pg_catalog.regtype)
    and f.depth < 20
),
widened as (
  select
    x.root,
    x.root_attnum,
    pg_catalog.string_agg(
      pg_catalog.format(
        'alter table %%I.%%I alter column %%I type bigint;', n.nspname, c.relname, a.attname
      ),
      E'\n' order by x.depth, n.nspname, c.relname, a.attname
    ) as statements,
    pg_catalog.jsonb_agg(
      pg_catalog.jsonb_build_array(n.nspname, c.relname, a.attname)
      order by x.depth, n.nspname, c.relname, a.attname
    ) as columns
  from (
    select f.root, f.root_attnum, f.relid, f.attnum, pg_catalog.min(f.depth) as depth
    from followers f
    group by f.root, f.root_attnum, f.relid, f.attnum
  ) x
  join pg_catalog.pg_class c on c.oid = x.relid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = x.relid and a.attnum = x.attnum
  where a.atttypid <> 'int8'::pg_catalog.regtype
  group by x.root, x.root_attnum
),
loose as (
  select s.*, s.last_value::numeric / s.seqmax as ratio
  from sequences s
  where not s.seqcycle
    and s.last_value >= 0.7 * s.seqmax::numeric
    and s.seqmax < 9223372036854775807
    and not exists (select from feeds f where f.seqrelid = s.seqrelid)
)
select
  'integer_key_near_overflow' as "check",
  case when n.ratio >= 0.9 then 'error' else 'warn' end as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, n.relname, n.attname) as object,
  pg_catalog.format(
    '%%I.%%I.%%I has used %%s of the %%s numbers that %%s leaves it (%%s %%%%)',
    n.nspname, n.relname, n.attname, n.used, n.capacity,
    case
      when n.capacity < n.type_maximum then pg_catalog.format('the sequence %%I', n.sequence_name)
      else pg_catalog.format_type(n.atttypid, null)
    end,
    pg_catalog.floor(100 * n.ratio)
  ) as title,
  'After the last number every insert fails. Widening the key rewrites the table under an exclusive '
  'lock, which is better done on a day of your own choosing: the columns that reference it are '
  'widened too. Source: PostgreSQL manual, 8.1.1 Integer Types, 8.1.4 Serial Types.' as why,
  case
    when n.capacity = n.type_maximum and n.atttypid <> 'int8'::pg_catalog.regtype then w.statements
    else ''
  end
  || case
    when n.seqrelid is null then ''
    when n.identity and n.capacity = n.type_maximum and n.seqmax = n.type_maximum then ''
    else
      case
        when n.capacity = n.type_maximum and n.atttypid <> 'int8'::pg_catalog.regtype then E'\n'
        else ''
      end
      || pg_catalog.format(
        'alter sequence %%I.%%I as %%s no maxvalue;',
        n.sequence_schema, n.sequence_name,
        case
          when n.capacity = n.type_maximum then 'bigint'
          else pg_catalog.format_type(n.atttypid, null)
        end
      )
  end as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', n.relname,
    'column', n.attname,
    'type', pg_catalog.format_type(n.atttypid, null),
    'sequence_schema', n.sequence_schema,
    'sequence', n.sequence_name,
    'used', n.used,
    'capacity', n.capacity,
    'retyped', case when n.capacity = n.type_maximum then w.columns end
  ) as details
from near n
left join widened w on w.root = n.relid and w.root_attnum = n.attnum
union all
select
  'integer_key_near_overflow',
  case when l.ratio >= 0.9 then 'error' else 'warn' end,
  pg_catalog.format('%%I.%%I', l.nspname, l.relname),
  pg_catalog.format(
    'the sequence %%I.%%I has used %%s of its %%s numbers (%%s %%%%)',
    l.nspname, l.relname, l.last_value, l.seqmax, pg_catalog.floor(100 * l.ratio)
  ),
  'After the last number nextval fails, and with it every insert that takes its key from there. Widen the '
  'columns that the application fills from it before the sequence. Source: PostgreSQL manual, CREATE '
  'SEQUENCE.',
  pg_catalog.format('alter sequence %%I.%%I as bigint no maxvalue;', l.nspname, l.relname),
  pg_catalog.jsonb_build_object(
    'schema', l.nspname,
    'sequence_schema', l.nspname,
    'sequence', l.relname,
    'used', l.last_value,
    'capacity', l.seqmax
  )
from loose l
order by object;
