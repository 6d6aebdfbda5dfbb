-- truncate_past_rls: privileges on tables with row security for which no policy holds
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure excessive DML privileges are revoked
-- near miss: SELECT, INSERT, UPDATE, DELETE; the owner; tables without row security
select
  'truncate_past_rls' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, c.relname) as object,
  pg_catalog.format('%%s on %%I.%%I is granted to %%s', others.privileges, n.nspname, c.relname, others.names)
    as title,
  'TRUNCATE empties the table whatever the policies say, a trigger runs as whoever changes a row, and a foreign key '
  'tells which keys are there. Source: PostgreSQL manual, 5.9 Row Security Policies.' as why,
  pg_catalog.format(
    'revoke truncate, trigger, references on table %%I.%%I from %%s;', n.nspname, c.relname, others.names
  ) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', c.relname) as details
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
cross join lateral (
  select
    pg_catalog.string_agg(distinct coalesce(pg_catalog.quote_ident(g.rolname), 'public'), ', ') as names,
    pg_catalog.string_agg(distinct acl.privilege_type, ', ' order by acl.privilege_type) as privileges
  from pg_catalog.aclexplode(c.relacl) acl
  left join pg_catalog.pg_roles g on g.oid = acl.grantee
  where acl.grantee <> c.relowner
    and coalesce(not g.rolsuper, true)
    and acl.privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES')
) others
where c.relnamespace = any(%(schemas)s::oid[])
  and c.relkind in ('r', 'p')
  and c.relrowsecurity
  and others.names is not null
order by object;
