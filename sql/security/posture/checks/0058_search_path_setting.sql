-- search_path_setting: a database's or a role's search path has a schema in which everybody may create
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure user parameters are configured correctly
-- near miss: a schema in which PUBLIC may not create; a path within a function
select
  'search_path_setting' as "check",
  'warn' as severity,
  pg_catalog.concat_ws(
    '.',
    coalesce(pg_catalog.quote_ident(d.datname), 'all databases'),
    coalesce(pg_catalog.quote_ident(r.rolname), 'all roles'),
    pg_catalog.quote_ident(n.nspname)
  ) as object,
  pg_catalog.format('the search path has %%I, in which PUBLIC may create', n.nspname) as title,
  'Any role can put a function or a table there that is taken for the one that a statement means. Source: '
  'PostgreSQL manual, 5.10.6 Usage Patterns (of schemas); CVE-2018-1058.' as why,
  pg_catalog.format('revoke create on schema %%I from public;', n.nspname) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_db_role_setting s
left join pg_catalog.pg_database d on d.oid = s.setdatabase
left join pg_catalog.pg_roles r on r.oid = s.setrole
cross join lateral pg_catalog.unnest(s.setconfig) as entry(text)
cross join lateral pg_catalog.regexp_matches(
  pg_catalog.substr(entry.text, 13), '"((?:[^"]|"")*)"|([^,"\s]+)', 'g'
) as part(names)
join pg_catalog.pg_namespace n on n.nspname = coalesce(pg_catalog.replace(part.names[1], '""', '"'), part.names[2])
cross join lateral pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) acl
where entry.text like 'search\_path=%%'
  and acl.grantee = 0
  and acl.privilege_type = 'CREATE'
  and (d.datname is null or d.datname = pg_catalog.current_database())
order by object;
