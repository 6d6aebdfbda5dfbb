-- needed_roles: which of the named roles the cluster has, and whether the workbench made them
-- parameters: names text[], mark text
select named.name,
  roles.oid is not null as exists,
  coalesce(pg_catalog.shobj_description(roles.oid, 'pg_authid') = %(mark)s, false) as ours
from pg_catalog.unnest(%(names)s::text[]) with ordinality as named(name, position)
left join pg_catalog.pg_roles roles
  on roles.rolname = named.name
order by named.position;
