-- exposed_foreign_table: foreign tables that others than their owner may use
-- level: info   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: a foreign table that is granted to nobody
select
  'exposed_foreign_table' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format('the foreign table %%I.%%I is granted to %%s', n.nspname, c.relname, others.names) as title,
  'A foreign table has no row security; which rows are seen is up to the role that the mapping logs in as there. '
  'Source: PostgreSQL manual, CREATE FOREIGN TABLE and CREATE USER MAPPING.' as why,
  pg_catalog.format('revoke all on table %%I.%%I from %%s;', n.nspname, c.relname, others.names) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', c.relname) as details
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  select pg_catalog.string_agg(distinct coalesce(pg_catalog.quote_ident(g.rolname), 'public'), ', ') as names
  from pg_catalog.aclexplode(c.relacl) acl
  left join pg_catalog.pg_roles g on g.oid = acl.grantee
  where acl.grantee <> c.relowner
    and coalesce(not g.rolsuper, true)
) others
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind = 'f'
  and others.names is not null
order by object;
