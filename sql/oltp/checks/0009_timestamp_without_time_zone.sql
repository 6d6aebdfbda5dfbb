-- timestamp_without_time_zone: tables with columns that hold a moment without saying where
-- level: info   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: date and time columns; a name that says local or wall-clock time (starts_at_local); a table that
-- keeps the time zone in a column of its own; a name that says what has no zone (birth_date, holiday)
-- one finding a table, because one ALTER TABLE rewrites it once
with recursive bases as (
  select t.oid as type, t.typbasetype as base
  from pg_catalog.pg_type t
  where t.typtype = 'd'
  union all
  select b.type, t.typbasetype
  from bases b
  join pg_catalog.pg_type t on t.oid = b.base and t.typtype = 'd'
),
columns as (
  select
    c.oid as relid,
    n.nspname,
    c.relname,
    c.relkind,
    a.attnum,
    a.attname,
    pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) as default_value
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef ad
    on ad.adrelid = a.attrelid
    and ad.adnum = a.attnum
    and a.attgenerated = ''
  where not c.relispartition
    and (a.attinhcount = 0 or a.attislocal)
    and (
      a.atttypid = 'timestamp'::pg_catalog.regtype
      or exists (select from bases b where b.type = a.atttypid and b.base = 'timestamp'::pg_catalog.regtype)
    )
    and a.attname !~* '(^|_)(local|wall|wallclock|naive|floating)(_|$)'
    and a.attname !~ '(Local|Wall|Naive|Floating)([A-Z_]|$)'
    and pg_catalog.regexp_replace(pg_catalog.lower(a.attname), '[^a-z]', '', 'g')
      not in ('birthdate', 'birthday', 'dateofbirth', 'dob', 'born', 'holiday', 'hiredate')
    and not exists (
      select
      from pg_catalog.pg_attribute z
      where z.attrelid = c.oid
        and z.attnum > 0
        and not z.attisdropped
        and pg_catalog.regexp_replace(pg_catalog.lower(z.attname), '[^a-z]', '', 'g')
          ~ '(timezone|timezoneid|timezonename|tz|tzid|tzname|utcoffset|tzoffset|zoneid)$'
    )
)
select
  'timestamp_without_time_zone' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I', c.nspname, c.relname) as object,
  pg_catalog.format(
    case pg_catalog.count(*)
      when 1 then '%%I.%%I has a timestamp without time zone: %%s'
      else '%%I.%%I has %%s timestamps without time zone: %%s'
    end,
    variadic array[c.nspname::text, c.relname::text]
      || case when pg_catalog.count(*) > 1 then array[pg_catalog.count(*)::text] else '{}' end
      || pg_catalog.string_agg(pg_catalog.quote_ident(c.attname), ', ' order by c.attnum)
  ) as title,
  'A timestamp without time zone is a reading of a clock on an unknown wall: two sessions in two '
  'zones store the same moment differently, and an hour a year is there twice. timestamptz stores '
  'the moment itself, in the same 8 bytes. The fix takes what is stored as UTC: name another zone if '
  'yours is one. Where the wall clock is what you mean (opening hours), keep the column and call it '
  'local; where the day is, use date. Source: PostgreSQL manual, 8.5.1.3 Time Stamps, 8.5.3 Time '
  'Zones.' as why,
  pg_catalog.format('alter table %%I.%%I', c.nspname, c.relname)
  || pg_catalog.string_agg(
    case
      when c.default_value ~* '(timezone\(|at time zone|localtimestamp)' then
        pg_catalog.format(E'\n  alter column %%I drop default,', c.attname)
      else ''
    end
    || pg_catalog.format(
      E'\n  alter column %%I type timestamptz using %%I at time zone ''UTC''', c.attname, c.attname
    )
    || case
      when c.default_value ~* '(timezone\(|at time zone|localtimestamp)' then
        pg_catalog.format(E',\n  alter column %%I set default pg_catalog.now()', c.attname)
      else ''
    end,
    ',' order by c.attnum
  )
  || ';' as fix,
  pg_catalog.jsonb_build_object(
    'schema', c.nspname,
    'table', c.relname,
    'retyped', pg_catalog.jsonb_agg(
      pg_catalog.jsonb_build_array(c.nspname, c.relname, c.attname) order by c.attnum
    )
  ) as details
from columns c
group by c.relid, c.nspname, c.relname
order by object;
