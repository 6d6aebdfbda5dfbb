-- uninvited: what whoever is named by no rule tries, and what nobody was given
-- needs: PostgreSQL 13

-- statement: stranger
create role {role} login

-- statement: stranger_gone
drop role {role}

-- statement: temporary
create temporary table wb_uninvited (n integer)

-- statement: routines
select
    n.nspname::text as schema,
    p.proname::text as name,
    p.prokind::text as kind,
    pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments,
    array(
        select pg_catalog.format_type(each.type, null)
        from pg_catalog.unnest(p.proargtypes) with ordinality as each (type, place)
        order by each.place
    ) as types
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n
  on n.oid = p.pronamespace
where n.nspname = any(%(schemas)s)
    and p.prokind in ('f', 'p')
    and p.prorettype not in (
        'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.event_trigger'::pg_catalog.regtype
    )
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and d.refobjid = p.oid
            and d.classid in (
                'pg_catalog.pg_attrdef'::pg_catalog.regclass,
                'pg_catalog.pg_constraint'::pg_catalog.regclass,
                'pg_catalog.pg_class'::pg_catalog.regclass,
                'pg_catalog.pg_policy'::pg_catalog.regclass,
                'pg_catalog.pg_rewrite'::pg_catalog.regclass,
                'pg_catalog.pg_operator'::pg_catalog.regclass
            )
    )
    and not exists (
        select
        from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and e.objid = p.oid
            and e.deptype = 'e'
    )
order by n.nspname, p.proname, arguments

-- statement: later_schema
create schema wb_uninvited

-- statement: open_later_schema
grant usage, create on schema wb_uninvited to {role}

-- statement: later_function
create function wb_uninvited.later() returns integer language sql as 'select 1'

-- statement: later_type
create type wb_uninvited.later_type as enum ('one')

-- statement: call_later
select wb_uninvited.later()

-- statement: use_later_type
create table wb_uninvited.taken (n wb_uninvited.later_type)

-- statement: token
select pg_catalog.set_config(%(setting)s, %(token)s, true)

-- statement: seen
select pg_catalog.count(*) from {table}

-- statement: forget_key
delete from {keys} where key_id = %(key)s

-- statement: hand_over
update {table}
set {column} = %(other)s

-- statement: types
select
    n.nspname::text as schema,
    t.typname::text as name
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n
  on n.oid = t.typnamespace
where n.nspname = any(%(schemas)s)
    and t.typtype in ('e', 'd', 'c', 'r')
    and not exists (
        select
        from pg_catalog.pg_class c
        where c.oid = t.typrelid
            and c.relkind <> 'c'
    )
    and not exists (
        select
        from pg_catalog.pg_depend e
        where e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
            and e.objid = t.oid
            and e.deptype = 'e'
    )
order by n.nspname, t.typname

-- statement: built_upon
create table wb_uninvited.built (n {type})

-- statement: objects
-- what the source and the design have, as COMMENT ON names it: only an owner may comment
select
    case when found.type like '%% type' then 'type' else found.type end as kind,
    found.identity
from (
    select 'pg_catalog.pg_namespace'::pg_catalog.regclass as class, n.oid
    from pg_catalog.pg_namespace n
    where n.nspname = any(%(schemas)s)
    union all
    select 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n
      on n.oid = c.relnamespace
    where n.nspname = any(%(schemas)s)
        and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    union all
    select 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n
      on n.oid = p.pronamespace
    where n.nspname = any(%(schemas)s)
    union all
    select 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n
      on n.oid = t.typnamespace
    where n.nspname = any(%(schemas)s)
        and t.typtype in ('e', 'd', 'r')
) listed
cross join pg_catalog.pg_identify_object(listed.class, listed.oid, 0) found
where found.type in (
        'schema', 'table', 'view', 'materialized view', 'sequence', 'foreign table', 'function', 'procedure',
        'aggregate', 'type', 'domain'
    )
order by kind, found.identity

-- statement: comment
comment on {kind} {identity} is 'of an attacker'

-- statement: lasting
-- whether the deployer has what an owner has, after the design was applied
select pg_catalog.pg_has_role(%(owner)s, 'usage')
