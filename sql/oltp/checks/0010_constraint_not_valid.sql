-- constraint_not_valid: constraints that were never checked against the rows that were there before them
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[], schemas oid[]
-- near miss: a constraint that is NOT ENFORCED, which cannot be validated; a partition's copy of its parent's
with found as (
  select
    con.oid,
    pg_catalog.format('%%I.%%I', n.nspname, c.relname) as owner_name,
    'table' as owner_kind,
    n.nspname,
    c.relname,
    con.conname,
    con.contype,
    case con.contype
      when 'c' then
        pg_catalog.format(
          'select * from %%I.%%I where not (%%s)',
          n.nspname, c.relname, pg_catalog.pg_get_expr(con.conbin, con.conrelid)
        )
      when 'n' then
        pg_catalog.format('select * from %%I.%%I where %%I is null', n.nspname, c.relname, k.first_column)
      when 'f' then
        pg_catalog.format(
          'select * from %%I.%%I r where %%s and not exists (select from %%I.%%I k where %%s)',
          n.nspname, c.relname, k.compared, rn.nspname, rc.relname, k.joined
        )
    end as violations
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_constraint con on con.conrelid = c.oid
  left join pg_catalog.pg_class rc on rc.oid = con.confrelid
  left join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
  left join lateral (
    select
      pg_catalog.min(a.attname::text) filter (where key.position = 1) as first_column,
      case
        when con.confmatchtype = 'f' then
          'not ('
          || pg_catalog.string_agg(
            pg_catalog.format('r.%%I is null', a.attname), ' and ' order by key.position
          )
          || ')'
        else
          pg_catalog.string_agg(
            pg_catalog.format('r.%%I is not null', a.attname), ' and ' order by key.position
          )
      end as compared,
      pg_catalog.string_agg(
        pg_catalog.format('k.%%I = r.%%I', ra.attname, a.attname), ' and ' order by key.position
      ) filter (where ra.attname is not null) as joined
    from rows from (
      pg_catalog.unnest(con.conkey),
      pg_catalog.unnest(con.confkey)
    ) with ordinality as key(attnum, referenced, position)
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.attnum
    left join pg_catalog.pg_attribute ra on ra.attrelid = con.confrelid and ra.attnum = key.referenced
  ) k on true
  where not con.convalidated
    and con.contype in ('c', 'f', 'n')
    and con.conparentid = 0
    and con.coninhcount = 0
    and coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true) -- from PostgreSQL 18
  union all
  select
    con.oid,
    pg_catalog.format('%%I.%%I', n.nspname, t.typname),
    'domain',
    n.nspname,
    t.typname,
    con.conname,
    con.contype,
    null
  from pg_catalog.pg_type t
  join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  join pg_catalog.pg_constraint con on con.contypid = t.oid
  where t.typnamespace = any(%(schemas)s::oid[])
    and con.contype in ('c', 'n')
    and not con.convalidated
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
        and d.objid = t.oid
        and d.deptype = 'e'
    )
)
select
  'constraint_not_valid' as "check",
  'warn' as severity,
  pg_catalog.format('%%s.%%I', f.owner_name, f.conname) as object,
  pg_catalog.format(
    'the %%s %%I on %%s is NOT VALID: rows from before it may break it',
    case f.contype when 'c' then 'check' when 'f' then 'foreign key' else 'not-null constraint' end,
    f.conname, f.owner_name
  ) as title,
  'The constraint holds for new rows alone; the planner does not rely on it, and a dump may not load '
  'where old rows break it. Validating reads the table once, while it is read and written. Source: '
  'PostgreSQL manual, ALTER TABLE, VALIDATE CONSTRAINT.' as why,
  pg_catalog.format('alter %%s %%s validate constraint %%I;', f.owner_kind, f.owner_name, f.conname) as fix,
  pg_catalog.jsonb_build_object(
    'schema', f.nspname,
    'table', f.relname,
    'constraint', f.conname,
    'violations', f.violations
  ) as details
from found f
order by object;
