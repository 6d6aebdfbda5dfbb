-- disabled_trigger: triggers that do not fire, among them those that keep a foreign key true
-- level: warn   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: a trigger that fires on a replica only, or always; a partition's copy of a trigger disabled on
-- its parent;
-- an error where it is a foreign key that is not kept
with triggers as (
  select
    t.oid,
    t.tgname,
    t.tgisinternal,
    t.tgconstraint,
    n.nspname,
    c.relname,
    pg_catalog.pg_get_triggerdef(t.oid) as definition
  from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
  join pg_catalog.pg_class c on c.oid = selected.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_trigger t on t.tgrelid = c.oid
  left join pg_catalog.pg_trigger parent on parent.oid = t.tgparentid
  where t.tgenabled = 'D'
    and parent.tgenabled is distinct from 'D'
),
unkept_keys as (
  select
    con.oid,
    n.nspname,
    c.relname,
    con.conname,
    pg_catalog.string_agg(
      distinct pg_catalog.format('alter table %%I.%%I enable trigger all;', t.nspname, t.relname), E'\n'
    ) as fix,
    (
      select pg_catalog.format(
        'select * from %%I.%%I r where %%s and not exists (select from %%I.%%I k where %%s)',
        n.nspname, c.relname,
        pg_catalog.string_agg(
          pg_catalog.format('r.%%I is not null', a.attname), ' and ' order by key.position
        ),
        rn.nspname, rc.relname,
        pg_catalog.string_agg(
          pg_catalog.format('k.%%I = r.%%I', ra.attname, a.attname), ' and ' order by key.position
        )
      )
      from rows from (
        pg_catalog.unnest(con.conkey),
        pg_catalog.unnest(con.confkey)
      ) with ordinality as key(attnum, referenced, position)
      join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attnum = key.attnum
      join pg_catalog.pg_attribute ra on ra.attrelid = con.confrelid and ra.attnum = key.referenced
    ) as violations
  from triggers t
  join pg_catalog.pg_constraint con on con.oid = t.tgconstraint and con.contype = 'f'
  join pg_catalog.pg_class c on c.oid = con.conrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  join pg_catalog.pg_class rc on rc.oid = con.confrelid
  join pg_catalog.pg_namespace rn on rn.oid = rc.relnamespace
  where t.tgisinternal
  group by con.oid, n.nspname, c.relname, con.conname, con.conkey, con.confkey, rn.nspname, rc.relname
)
select
  'disabled_trigger' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I.%%I', t.nspname, t.relname, t.tgname) as object,
  pg_catalog.format('the trigger %%I on %%I.%%I is disabled', t.tgname, t.nspname, t.relname) as title,
  'What the trigger guards or derives has not been guarded or derived since it was disabled, often '
  'for a bulk load after which nobody enabled it again. Enabling it does not make up for the rows in '
  'between; drop it where it is no longer wanted. Source: PostgreSQL manual, ALTER TABLE, ENABLE '
  'TRIGGER.' as why,
  pg_catalog.format('alter table %%I.%%I enable trigger %%I;', t.nspname, t.relname, t.tgname) as fix,
  pg_catalog.jsonb_build_object(
    'schema', t.nspname,
    'table', t.relname,
    'trigger', t.tgname,
    'definition', t.definition,
    'violations', null
  ) as details
from triggers t
where not t.tgisinternal
union all
select
  'disabled_trigger',
  'error',
  pg_catalog.format('%%I.%%I.%%I', k.nspname, k.relname, k.conname),
  pg_catalog.format(
    'the foreign key %%I on %%I.%%I is not kept: its triggers are disabled', k.conname, k.nspname, k.relname
  ),
  'With DISABLE TRIGGER ALL the database shows the foreign key as valid and yet accepts rows that break it. '
  'Enabling the triggers does not check the rows that came in between: look for them first. Source: '
  'PostgreSQL manual, ALTER TABLE, DISABLE TRIGGER.',
  k.fix,
  pg_catalog.jsonb_build_object(
    'schema', k.nspname,
    'table', k.relname,
    'constraint', k.conname,
    'violations', k.violations
  )
from unkept_keys k
order by object;
