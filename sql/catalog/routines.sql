-- routines: functions, procedures, aggregates and window functions of the schemas
-- needs: PostgreSQL 13   parameters: schemas oid[]
select
  n.nspname as schema,
  p.proname as name,
  case p.prokind
    when 'f' then 'function'
    when 'p' then 'procedure'
    when 'a' then 'aggregate'
    when 'w' then 'window'
  end as kind,
  pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments,
  l.lanname as language,
  p.prosecdef as security_definer,
  (
    select pg_catalog.substr(setting, pg_catalog.length('search_path=') + 1)
    from pg_catalog.unnest(p.proconfig) as setting
    where setting like 'search\_path=%%'
  ) as search_path,
  pg_catalog.pg_get_userbyid(p.proowner) as owner
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_language l on l.oid = p.prolang
where p.pronamespace = any(%(schemas)s::oid[])
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and d.objid = p.oid
      and d.deptype = 'e'
  )
order by n.nspname, p.proname, arguments;
