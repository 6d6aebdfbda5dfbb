-- domains: every domain with the type beneath it, its modifiers among it, and the constraints on the way there
-- needs: PostgreSQL 13
-- a domain over a domain has the constraints of both, its own first; a row a constraint, or one without any
with recursive chain as (
  select t.oid, t.oid as link, 0 as depth
  from pg_catalog.pg_type t
  where t.typtype = 'd'
  union all
  select c.oid, t.typbasetype, c.depth + 1
  from chain c
  join pg_catalog.pg_type t on t.oid = c.link
  join pg_catalog.pg_type b on b.oid = t.typbasetype and b.typtype = 'd'
)
select
  n.nspname as schema,
  d.typname as name,
  first_value(pg_catalog.format_type(l.typbasetype, l.typtypmod)) over (
    partition by c.oid
    order by c.depth desc
  ) as base_type,
  first_value(pg_catalog.format_type(l.typbasetype, null)) over (
    partition by c.oid
    order by c.depth desc
  ) as plain_type,
  c.depth,
  l.typnotnull as not_null,
  con.conname as constraint_name,
  pg_catalog.pg_get_expr(con.conbin, 0) as expression,
  pg_catalog.pg_get_constraintdef(con.oid) as definition,
  exists (
    select
    from pg_catalog.pg_depend dep
    where dep.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
      and dep.objid = c.oid
      and dep.deptype = 'e'
  ) as of_extension
from chain c
join pg_catalog.pg_type d on d.oid = c.oid
join pg_catalog.pg_namespace n on n.oid = d.typnamespace
join pg_catalog.pg_type l on l.oid = c.link
left join pg_catalog.pg_constraint con on con.contypid = l.oid and con.contype = 'c'
where n.nspname not in ('pg_catalog', 'information_schema')
order by n.nspname, d.typname, c.depth, con.conname;
