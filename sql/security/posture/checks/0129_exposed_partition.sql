-- exposed_partition: partitions that can be read past the row security of their parent
-- level: error   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: a partition with row security of its own; one that is granted to nobody
select
  'exposed_partition' as "check",
  'error' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format(
    'the partition %%I.%%I is granted to %%s, and the policies of %%I.%%I do not hold there', n.nspname, c.relname,
    others.names, rn.nspname, root.relname
  ) as title,
  'Policies hold for the table that the statement names: read by its own name, a partition shows every row. Source: '
  'PostgreSQL manual, 5.9 Row Security Policies and 5.12 Table Partitioning.' as why,
  pg_catalog.format('revoke all on table %%I.%%I from %%s;', n.nspname, c.relname, others.names) as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname, 'table', c.relname, 'root_schema', rn.nspname, 'root', root.relname
  ) as details
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_class root on root.oid = pg_catalog.pg_partition_root(c.oid::pg_catalog.regclass)
join pg_catalog.pg_namespace rn on rn.oid = root.relnamespace
cross join lateral (
  select pg_catalog.string_agg(distinct coalesce(pg_catalog.quote_ident(g.rolname), 'public'), ', ') as names
  from pg_catalog.aclexplode(c.relacl) acl
  left join pg_catalog.pg_roles g on g.oid = acl.grantee
  where acl.grantee <> c.relowner
    and coalesce(not g.rolsuper, true)
    and acl.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
) others
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relispartition
  and c.relkind in ('r', 'p')
  and not c.relrowsecurity
  and root.relrowsecurity
  and others.names is not null
order by object;
