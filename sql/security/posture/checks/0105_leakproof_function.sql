-- leakproof_function: functions of this database that are declared to tell nothing of their arguments
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: functions of the system and members of extensions
select
  'leakproof_function' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I(%%s)', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid))
    as object,
  pg_catalog.format('%%I.%%I is LEAKPROOF', n.nspname, p.proname) as title,
  'It is run on rows before the policies have hidden them: where it raises an error or a notice with its arguments, '
  'or writes them, hidden rows are seen. Source: PostgreSQL manual, CREATE FUNCTION, LEAKPROOF.' as why,
  pg_catalog.format(
    'alter function %%I.%%I(%%s) not leakproof;', n.nspname, p.proname,
    pg_catalog.pg_get_function_identity_arguments(p.oid)
  ) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'function', p.proname, 'oid', p.oid) as details
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.pronamespace = any(%(schemas)s::oid[])
  and p.proleakproof
  and p.prokind in ('f', 'w')
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and d.objid = p.oid
      and d.deptype = 'e'
  )
order by object;
