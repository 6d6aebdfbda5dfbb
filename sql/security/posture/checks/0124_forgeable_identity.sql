-- forgeable_identity: policies that believe a setting which the client may set
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure Row Level Security (RLS) is configured correctly
-- near miss: settings of the server itself; a function that verifies a signature; current_user
with policies as (
  select
    p.oid,
    p.polname,
    p.polrelid,
    coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), '') || ' '
      || coalesce(pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid), '') as conditions
  from pg_catalog.pg_policy p
  join pg_catalog.pg_class c on c.oid = p.polrelid
  where c.relnamespace = any(%(schemas)s::oid[])
    and c.relrowsecurity
),
readers as (
  select
    p.oid,
    pg_catalog.substring(p.prosrc, 'current_setting\s*\(\s*''([^'']*\.[^'']*)''') as setting
  from pg_catalog.pg_proc p
  where p.prosrc ~ 'current_setting\s*\(\s*''[^'']*\.[^'']*'''
    and p.prosrc !~* '(hmac|sha224|sha256|sha384|sha512|digest|verify|crypt\()'
),
found as (
  select p.oid, pg_catalog.substring(p.conditions, 'current_setting\(''([^'']*\.[^'']*)''') as setting, null as through
  from policies p
  where p.conditions ~ 'current_setting\(''[^'']*\.[^'']*'''
  union all
  select p.oid, r.setting, d.refobjid::pg_catalog.regprocedure::text
  from policies p
  join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
    and d.objid = p.oid
    and d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  join readers r on r.oid = d.refobjid
)
select
  'forgeable_identity' as "check",
  case when pg_catalog.bool_or(f.through is null) then 'warn' else 'info' end as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, p.polname) as object,
  pg_catalog.format(
    'the policy %%I of %%I.%%I believes the setting %%s%%s', p.polname, n.nspname, c.relname,
    pg_catalog.min(f.setting), coalesce(', read by ' || pg_catalog.min(f.through), '')
  ) as title,
  'Every client may set a setting of that form to anything, and REVOKE SET does not stop it: an injection, or a '
  'program''s own login, names another identity and has its rows. It holds only where no client sends statements of '
  'its own. Source: PostgreSQL manual, 19.16 Customized Options.' as why,
  pg_catalog.format(
    E'-- let the policy believe what is proved: a signed token that a function verifies, or a role an identity;\n'
    '-- workbench security prove generates the first. Until then, nobody but the owner:\n'
    'alter policy %%I on %%I.%%I to current_user;', p.polname, n.nspname, c.relname
  ) as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'policy', p.polname,
    'setting', pg_catalog.min(f.setting),
    'roles', (
      select pg_catalog.jsonb_agg(r.rolname order by r.rolname)
      from pg_catalog.pg_roles r
      where r.oid = any(policy.polroles)
        and not r.rolsuper
        and r.oid <> c.relowner
    )
  ) as details
from found f
join policies p on p.oid = f.oid
join pg_catalog.pg_class c on c.oid = p.polrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_policy policy on policy.oid = p.oid
where exists (
  select
  from pg_catalog.unnest(policy.polroles) as held(role)
  left join pg_catalog.pg_roles r on r.oid = held.role
  where held.role <> c.relowner
    and coalesce(not r.rolsuper, true)
)
group by n.nspname, c.relname, c.relowner, p.polname, policy.polroles
order by object;
