-- public_create: schemas in which every role may create
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure the public schema is protected
-- near miss: the default from PostgreSQL 15 on; CREATE for a named role; USAGE for PUBLIC
select
  'public_create' as "check",
  'warn' as severity,
  pg_catalog.quote_ident(n.nspname) as object,
  pg_catalog.format('PUBLIC may create in the schema %%I', n.nspname) as title,
  'Any role can put a function or a table there that is taken for the one that somebody else''s statement means, '
  'and that somebody then runs it. Source: CVE-2018-1058; PostgreSQL manual, 5.10.6 Usage Patterns.' as why,
  pg_catalog.format('revoke create on schema %%I from public;', n.nspname) as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname) as details
from pg_catalog.pg_namespace n
cross join lateral pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) acl
where n.oid = any(%(schemas)s::oid[])
  and acl.grantee = 0
  and acl.privilege_type = 'CREATE'
order by object;
