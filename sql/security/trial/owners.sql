-- owners: for each object that is a role's of the source, the statement that gives it to the role elsewhere
-- needs: PostgreSQL 13
-- near miss: what belongs to whoever loaded the source stays the deployer's; what follows its table is left out
with roles as (
    select r.oid, r.rolname
    from pg_catalog.pg_roles r
    where r.rolname = any(%(roles)s)
),
spaces as (
    select n.oid, n.nspname, n.nspowner
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_'
        and n.nspname <> 'information_schema'
),
extended as (
    select d.classid, d.objid
    from pg_catalog.pg_depend d
    where d.deptype = 'e'
)
select pg_catalog.format('alter schema %%I owner to %%I', s.nspname, r.rolname) as statement, 1 as step
from spaces s
join roles r
  on r.oid = s.nspowner
union all
select
    pg_catalog.format(
        'alter %%s %%I.%%I owner to %%I',
        case c.relkind
            when 'v' then 'view'
            when 'm' then 'materialized view'
            when 'S' then 'sequence'
            when 'f' then 'foreign table'
            else 'table'
        end,
        s.nspname, c.relname, r.rolname
    ),
    2
from pg_catalog.pg_class c
join spaces s
  on s.oid = c.relnamespace
join roles r
  on r.oid = c.relowner
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and not exists (
        select
        from extended e
        where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and e.objid = c.oid
    )
    and not exists (
        select
        from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and d.objid = c.oid
            and c.relkind = 'S'
            and d.deptype in ('a', 'i')
    )
union all
select
    pg_catalog.format(
        'alter routine %%I.%%I(%%s) owner to %%I',
        s.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid), r.rolname
    ),
    3
from pg_catalog.pg_proc p
join spaces s
  on s.oid = p.pronamespace
join roles r
  on r.oid = p.proowner
where p.prokind <> 'a'
    and not exists (
        select
        from extended e
        where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            and e.objid = p.oid
    )
union all
select
    pg_catalog.format(
        'alter %%s %%I.%%I owner to %%I',
        case t.typtype when 'd' then 'domain' else 'type' end, s.nspname, t.typname, r.rolname
    ),
    4
from pg_catalog.pg_type t
join spaces s
  on s.oid = t.typnamespace
join roles r
  on r.oid = t.typowner
left join pg_catalog.pg_class c
  on c.oid = t.typrelid
where (t.typtype in ('d', 'e', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
    and not exists (
        select
        from extended e
        where e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
            and e.objid = t.oid
    )
order by step, statement;
