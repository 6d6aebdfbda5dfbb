-- server_role_member: members of the predefined roles that reach the server's files, its machine or all rows
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: Make use of predefined roles; ensure excessive administrative privileges are revoked
-- near miss: superusers; pg_monitor and the like
select
  'server_role_member' as "check",
  case when granted.rolname in ('pg_read_all_data', 'pg_write_all_data') then 'warn' else 'error' end as severity,
  pg_catalog.format('%%I.%%I', member.rolname, granted.rolname) as object,
  pg_catalog.format('%%I is a member of %%I', member.rolname, granted.rolname) as title,
  case granted.rolname
    when 'pg_read_server_files' then 'It reads any file that the server can, the verifiers of all passwords among '
      'them. '
    when 'pg_write_server_files' then 'It writes any file that the server can, its configuration among them, and '
      'so becomes superuser. '
    when 'pg_execute_server_program' then 'It runs programs as the account of the server, and so becomes '
      'superuser. '
    when 'pg_read_all_data' then 'It reads every table of every schema, those made later too; only row security '
      'holds. '
    else 'It writes every table of every schema, those made later too; only row security holds. '
  end || 'Source: PostgreSQL manual, 22.5 Predefined Roles; CIS PostgreSQL Benchmark, section 4.' as why,
  pg_catalog.format('revoke %%I from %%I;', granted.rolname, member.rolname) as fix,
  pg_catalog.jsonb_build_object('role', member.rolname) as details
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles granted on granted.oid = m.roleid
join pg_catalog.pg_roles member on member.oid = m.member
where granted.rolname in (
    'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program', 'pg_read_all_data',
    'pg_write_all_data'
  )
  and not member.rolsuper
group by granted.rolname, member.rolname
order by object;
