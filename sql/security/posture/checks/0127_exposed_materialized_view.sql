-- exposed_materialized_view: materialized views of tables with row security, granted to others
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: over tables without row security; granted to nobody
with recursive reads as (
  select distinct rule.ev_class as view_oid, d.refobjid as relation_oid
  from pg_catalog.pg_rewrite rule
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
  'exposed_materialized_view' as "check",
  'warn' as severity,
  pg_catalog.format('%%I.%%I', n.nspname, v.relname) as object,
  pg_catalog.format(
    'the materialized view %%I.%%I holds rows of %%s and is granted to %%s', n.nspname, v.relname,
    pg_catalog.string_agg(distinct pg_catalog.format('%%I.%%I', tn.nspname, t.relname), ', '),
    pg_catalog.min(others.names)
  ) as title,
  'It was filled with the rights of its owner, and a materialized view has no row security: each reader sees all of '
  'it. Source: PostgreSQL manual, 5.9 Row Security Policies. Where it holds sums that anybody may know, it is as it '
  'should be.' as why,
  pg_catalog.format('revoke all on table %%I.%%I from %%s;', n.nspname, v.relname, pg_catalog.min(others.names))
    as fix,
  pg_catalog.jsonb_build_object('schema', n.nspname, 'table', v.relname) as details
from reached r
join pg_catalog.pg_class v on v.oid = r.view_oid and v.relkind = 'm'
join pg_catalog.pg_namespace n on n.oid = v.relnamespace
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
  and others.names is not null
group by n.nspname, v.relname
order by object;
