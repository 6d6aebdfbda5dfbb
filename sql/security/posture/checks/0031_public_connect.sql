-- public_connect: every role of the cluster may connect to the database
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: Ensure excessive administrative privileges are revoked
-- near miss: revoked from PUBLIC
select
  'public_connect' as "check",
  'info' as severity,
  pg_catalog.quote_ident(d.datname) as object,
  pg_catalog.format(
    'PUBLIC has %%s on the database %%I',
    pg_catalog.string_agg(acl.privilege_type, ' and ' order by acl.privilege_type), d.datname
  ) as title,
  'It is the default. A login made for another database gets in, and with TEMPORARY may put a table before the one '
  'that a careless function means. Source: PostgreSQL manual, 5.8 Privileges; CIS PostgreSQL Benchmark, section 4.'
    as why,
  pg_catalog.format(
    E'revoke connect, temporary on database %%I from public;\n-- and grant connect to the roles that need it',
    d.datname
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_database d
cross join lateral pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) acl
where d.datname = pg_catalog.current_database()
  and acl.grantee = 0
group by d.datname
order by object;
