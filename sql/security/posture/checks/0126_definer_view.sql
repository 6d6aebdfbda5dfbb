-- definer_view: views that read a table past its row security, for others
-- level: error   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: security_invoker; a view that is granted to nobody; a view over tables without row security; an owner
-- for whom the policies hold
with recursive reads as (
  select distinct rule.ev_class as view_oid, d.refobjid as relation_oid
  from pg_catalog.pg_rewrite rule
  join pg_catalog.pg_class v on v.oid = rule.ev_class and v.relkind = 'v'
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    and d.objid = rule.oid
    and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    and d.refobjid <> rule.ev_class
),
reached(view_oid, relation_oid) as (
  select view_oid, relation_oid
  from reads
  union
  select r.view_oid, further.relation_oid
  from reached r
  join reads further on further.view_oid = r.relation_oid
)
select
  'definer_view' as "check",
  'error' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, v.relname) as object,
  pg_catalog.format(
    'the view %%I.%%I reads %%s with its owner''s rights, for whom no policy holds', n.nspname, v.relname,
    pg_catalog.string_agg(
      distinct pg_catalog.format('%%I.%%I', tn.nspname, t.relname), ', '
    )
  ) as title,
  'Who may read the view sees the rows that the table''s policies hide. Source: PostgreSQL manual, CREATE VIEW, '
  'security_invoker; 39.5 Rules and Privileges.' as why,
  case
    when pg_catalog.current_setting('server_version_num')::int >= 150000
      then pg_catalog.format('alter view %%I.%%I set (security_invoker = true);', n.nspname, v.relname)
    else pg_catalog.format(
      E'-- security_invoker is there from version 15 on; until then\nrevoke all on table %%I.%%I from %%s;',
      n.nspname, v.relname, pg_catalog.min(others.names)
    )
  end as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', v.relname) as details
from reached r
join pg_catalog.pg_class v on v.oid = r.view_oid
join pg_catalog.pg_namespace n on n.oid = v.relnamespace
join pg_catalog.pg_roles owner on owner.oid = v.relowner
join pg_catalog.pg_class t on t.oid = r.relation_oid and t.relkind in ('r', 'p') and t.relrowsecurity
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
cross join lateral (
  select pg_catalog.string_agg(distinct coalesce(pg_catalog.quote_ident(g.rolname), 'public'), ', ') as names
  from pg_catalog.aclexplode(v.relacl) acl
  left join pg_catalog.pg_roles g on g.oid = acl.grantee
  where acl.grantee <> v.relowner
    and coalesce(not g.rolsuper, true)
) others
where v.relnamespace = any(%(schemas)s::oid[])
  and not coalesce('security_invoker=true' = any(v.reloptions) or 'security_invoker=on' = any(v.reloptions), false)
  and others.names is not null
  and (owner.rolsuper or owner.rolbypassrls or (v.relowner = t.relowner and not t.relforcerowsecurity))
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and d.objid = v.oid
      and d.deptype = 'e'
  )
group by n.nspname, v.relname
order by object;
