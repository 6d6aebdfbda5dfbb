-- definer_search_path: functions with their owner's rights that look names up where the caller says
-- level: error   needs: PostgreSQL 13   scope: database   reads: all   parameters: schemas oid[]
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: an empty path; a path of closed schemas that ends in pg_temp; a body that is bound when it is made
-- (begin atomic); languages that look nothing up; members of extensions
with functions as (
  select
    p.oid,
    p.proname,
    p.prokind,
    n.nspname,
    n.oid as namespace,
    pg_catalog.pg_get_function_identity_arguments(p.oid) as arguments,
    path.text as path,
    pg_catalog.array_remove(
      array(
        select coalesce(pg_catalog.replace(part.names[1], '""', '"'), part.names[2])
        from pg_catalog.regexp_matches(path.text, '"((?:[^"]|"")*)"|([^,"\s]+)', 'g')
          with ordinality as part(names, position)
        order by part.position
      ), ''
    ) as names,
    exists (
      select
      from pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) acl
      where acl.grantee <> p.proowner
        and acl.privilege_type = 'EXECUTE'
    ) as called_by_others
  from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  join pg_catalog.pg_language l on l.oid = p.prolang
  left join lateral (
    select pg_catalog.substr(entry.text, 13) as text
    from pg_catalog.unnest(p.proconfig) as entry(text)
    where entry.text like 'search\_path=%%'
  ) path on true
  where p.pronamespace = any(%(schemas)s::oid[])
    and p.prosecdef
    and l.lanname not in ('c', 'internal')
    and pg_catalog.to_jsonb(p)->>'prosqlbody' is null
    and not exists (
      select
      from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        and d.objid = p.oid
        and d.deptype = 'e'
    )
),
open_schemas as (
  select n.oid, n.nspname
  from pg_catalog.pg_namespace n
  cross join lateral pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) acl
  where acl.grantee = 0
    and acl.privilege_type = 'CREATE'
),
judged as (
  select
    f.*,
    case
      when f.path is null then 'no search_path of its own'
      when '$user' = any(f.names) then 'a search_path with a schema of the caller'
      when exists (
        select
        from open_schemas o
        where o.nspname = any(f.names)
      ) then 'a search_path with a schema in which PUBLIC may create'
      when f.names <@ array['pg_catalog', 'information_schema', 'pg_temp'] then null
      when f.names[pg_catalog.cardinality(f.names)] <> 'pg_temp'
        then 'a search_path that does not end in pg_temp, so that temporary tables come first'
    end as reason
  from functions f
)
select
  'definer_search_path' as "check",
  case when j.called_by_others and j.reason not like '%%pg_temp%%' then 'error' else 'warn' end as severity,
  pg_catalog.format('%%I.%%I(%%s)', j.nspname, j.proname, j.arguments) as object,
  pg_catalog.format('%%I.%%I runs with its owner''s rights and has %%s', j.nspname, j.proname, j.reason) as title,
  'Who calls it can put a table, a function or an operator of his own before the one that it means, and that one then '
  'works with the rights of the owner. Source: PostgreSQL manual, CREATE FUNCTION, Writing SECURITY DEFINER '
  'Functions Safely.' as why,
  coalesce((
    select pg_catalog.string_agg(
      pg_catalog.format('revoke create on schema %%I from public;', o.nspname), E'\n' order by o.nspname
    ) || E'\n'
    from open_schemas o
    where o.nspname = any(pg_catalog.array_append(coalesce(j.names, '{}'), j.nspname::text))
  ), '') || pg_catalog.format(
    'alter %%s %%I.%%I(%%s) set search_path = %%s;',
    case when j.prokind = 'p' then 'procedure' else 'function' end, j.nspname, j.proname, j.arguments,
    (
      select pg_catalog.string_agg(pg_catalog.quote_ident(part.name), ', ' order by part.position)
      from pg_catalog.unnest(
        pg_catalog.array_remove(
          pg_catalog.array_remove(coalesce(nullif(j.names, '{}'), array['pg_catalog', j.nspname::text]), '$user'), 'pg_temp'
        ) || array['pg_temp']
      ) with ordinality as part(name, position)
    )
  ) as fix,
  pg_catalog.jsonb_build_object('schema', j.nspname, 'function', j.proname, 'oid', j.oid, 'path', j.path) as details
from judged j
where j.reason is not null
order by object;
