-- shadowable: the relations and functions of the names that a body has without a schema, and how to copy their form
-- needs: PostgreSQL 13   parameters: names text[]
select
  'relation' as kind,
  n.nspname as schema,
  c.relname as name,
  (
    select pg_catalog.string_agg(
      pg_catalog.format('null::%%s as %%I', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attname), ', '
      order by a.attnum
    )
    from pg_catalog.pg_attribute a
    where a.attrelid = c.oid
      and a.attnum > 0
      and not a.attisdropped
  ) as form,
  null as result
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relname = any(%(names)s::text[])
  and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname !~ '^pg_(toast|temp)'
union all
select
  'function',
  n.nspname,
  p.proname,
  pg_catalog.pg_get_function_identity_arguments(p.oid),
  pg_catalog.pg_get_function_result(p.oid)
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.proname = any(%(names)s::text[])
  and p.prokind = 'f'
  and p.provariadic = 0
  and p.prorettype not in (
    'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.internal'::pg_catalog.regtype,
    'pg_catalog.event_trigger'::pg_catalog.regtype
  )
  and not exists (
    select
    from pg_catalog.unnest(p.proargtypes::oid[]) as argument(type)
    join pg_catalog.pg_type t on t.oid = argument.type
    where t.typtype = 'p'
  )
order by kind desc, schema, name, form;
