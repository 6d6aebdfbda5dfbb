-- function: what a call of a function needs, and who may call it
-- needs: PostgreSQL 13   parameters: function oid
select
  n.nspname as schema,
  p.proname as name,
  p.prokind as kind,
  p.prosrc as source,
  owner.rolname::text as owner,
  p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
    or p.prorettype = 'pg_catalog.event_trigger'::pg_catalog.regtype as is_trigger,
  (
    select pg_catalog.string_agg(
      case
        when t.typtype <> 'b' then 'null'
        when t.typcategory = 'N' then '1'
        when t.typcategory = 'S' then '''a'''
        when t.typcategory = 'B' then 'true'
        when t.typcategory = 'D' then 'pg_catalog.now()'
        else 'null'
      end || '::' || pg_catalog.format_type(t.oid, null), ', ' order by argument.position
    )
    from pg_catalog.unnest(p.proargtypes::oid[]) with ordinality as argument(type, position)
    join pg_catalog.pg_type t on t.oid = argument.type
  ) as arguments,
  (
    select r.rolname::text
    from pg_catalog.aclexplode(p.proacl) acl
    join pg_catalog.pg_roles r on r.oid = acl.grantee
    where acl.grantee <> p.proowner
      and not r.rolsuper
    order by r.rolname
    limit 1
  ) as named_caller,
  exists (
    select
    from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) acl
    where acl.grantee = 0
  ) as called_by_public
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
join pg_catalog.pg_roles owner on owner.oid = p.proowner
where p.oid = %(function)s;
