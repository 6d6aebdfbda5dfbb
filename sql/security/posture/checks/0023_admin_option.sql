-- admin_option: roles that may hand a role on to others
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: Ensure excessive administrative privileges are revoked
-- near miss: the grant to the role's maker that version 16 and later make by themselves; superusers
select
  'admin_option' as "check",
  'info' as severity,
  pg_catalog.format('%%I.%%I', member.rolname, granted.rolname) as object,
  pg_catalog.format('%%I may grant %%I to anybody', member.rolname, granted.rolname) as title,
  'With the ADMIN option, who has the role decides who else has it. Source: CIS PostgreSQL Benchmark, section 4; '
  'PostgreSQL manual, GRANT, WITH ADMIN.' as why,
  pg_catalog.format('revoke admin option for %%I from %%I;', granted.rolname, member.rolname) as fix,
  pg_catalog.jsonb_build_object('role', member.rolname) as details
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles granted on granted.oid = m.roleid
join pg_catalog.pg_roles member on member.oid = m.member
where m.admin_option
  and not member.rolsuper
  and not (
    m.grantor = 10
    and pg_catalog.to_jsonb(m)->>'set_option' = 'false'
    and pg_catalog.to_jsonb(m)->>'inherit_option' = 'false'
  )
group by granted.rolname, member.rolname
order by object;
