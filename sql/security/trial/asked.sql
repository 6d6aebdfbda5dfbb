-- asked: the conditions of policies, and the bodies of the functions that they call, near and far
-- needs: PostgreSQL 13
-- A function is one that a policy depends on, or one whose qualified name stands in the body of such a one.
with recursive policies as (
    select
        p.oid,
        pg_catalog.pg_get_expr(p.polqual, p.polrelid) as used,
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) as checked
    from pg_catalog.pg_policy p
),
own_functions as (
    select f.oid, n.nspname || '.' || f.proname as name, coalesce(pg_catalog.pg_get_function_sqlbody(f.oid), f.prosrc) as body
    from pg_catalog.pg_proc f
    join pg_catalog.pg_namespace n
      on n.oid = f.pronamespace
    where n.nspname <> 'information_schema'
        and n.nspname !~ '^pg_'
        and f.prokind = 'f'
),
called as (
    select f.oid, f.body
    from own_functions f
    join pg_catalog.pg_depend d
      on d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and d.refobjid = f.oid
      and d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    union
    select f.oid, f.body
    from called c
    join own_functions f
      on pg_catalog.strpos(c.body, f.name || '(') > 0
)
select coalesce(p.used, '') || ' ' || coalesce(p.checked, '') as text, true as condition
from policies p
union
select c.body, false
from called c
order by condition desc, text;
