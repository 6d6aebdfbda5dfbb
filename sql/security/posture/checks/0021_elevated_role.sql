-- elevated_role: roles that pass over row security, make roles or read all by replication
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: Ensure excessive administrative privileges are revoked
-- near miss: superusers, reported by themselves; CREATEDB
select
  'elevated_role' as "check",
  case
    when r.rolbypassrls
      or (r.rolcreaterole and pg_catalog.current_setting('server_version_num')::int < 160000) then 'warn'
    else 'info'
  end as severity,
  pg_catalog.quote_ident(r.rolname) as object,
  pg_catalog.format('%%I has %%s', r.rolname, pg_catalog.array_to_string(has.attributes, ', ')) as title,
  'BYPASSRLS: no policy holds for it. CREATEROLE: before version 16 it may grant itself any role that is no '
  'superuser, pg_execute_server_program among them. REPLICATION: it may copy the whole cluster, all databases '
  'of it. Source: CIS PostgreSQL Benchmark, section 4; PostgreSQL manual, 22.2 Role Attributes.' as why,
  (
    select pg_catalog.string_agg(
      pg_catalog.format('alter role %%I no%%s;', r.rolname, pg_catalog.lower(each.attribute)),
      E'\n' order by each.attribute
    )
    from pg_catalog.unnest(has.attributes) as each(attribute)
  ) as fix,
  pg_catalog.jsonb_build_object('role', r.rolname) as details
from pg_catalog.pg_roles r
cross join lateral (
  select pg_catalog.array_remove(array[
    case when r.rolbypassrls then 'BYPASSRLS' end,
    case when r.rolcreaterole then 'CREATEROLE' end,
    case when r.rolreplication then 'REPLICATION' end
  ], null) as attributes
) has
where not r.rolsuper
  and r.rolname !~ '^pg_'
  and has.attributes <> '{}'
order by object;
