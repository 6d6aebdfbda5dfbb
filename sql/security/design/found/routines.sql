-- routines: functions and procedures that no extension owns, with the text of those that are text
-- needs: PostgreSQL 13
select
    n.nspname::text as schema,
    p.proname::text as name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments,
    pg_catalog.pg_get_userbyid(p.proowner)::text as owner,
    p.prosecdef as security_definer,
    p.prokind in ('f', 'p') as alterable,
    p.prorettype in ('pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype)
        as trigger,
    (
        select pg_catalog.substr(setting, pg_catalog.length('search_path=') + 1)
        from pg_catalog.unnest(p.proconfig) setting
        where setting like 'search\_path=%%'
    ) as search_path,
    coalesce(p.prosrc, '') as source
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and d.objid = p.oid
            and d.deptype = 'e'
    )
order by schema, name, arguments;
