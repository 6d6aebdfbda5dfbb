-- reaching_extension: extensions that reach files, other servers or the raw pages, and who may use them
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: extensions that stay within the database; functions that only superusers may call
with reaching(name, reach) as (
  values
    ('adminpack', 'writes and removes files of the server'),
    ('dblink', 'connects to other servers, and back to this one'),
    ('file_fdw', 'reads files of the server and runs programs'),
    ('postgres_fdw', 'connects to other servers'),
    ('pageinspect', 'reads pages past row security'),
    ('pg_surgery', 'changes rows past all rules'),
    ('pg_walinspect', 'reads the WAL of all databases'),
    ('pg_buffercache', 'reads the cache of all databases'),
    ('lo', 'reaches large objects'),
    ('xml2', 'reads what an XML document names'),
    ('http', 'connects to other servers'),
    ('pg_net', 'connects to other servers'),
    ('pg_cron', 'runs statements at times'),
    ('plpython3u', 'runs programs on the machine'),
    ('plperlu', 'runs programs on the machine'),
    ('pltclu', 'runs programs on the machine')
)
select
  'reaching_extension' as "check",
  case
    when pg_catalog.count(open_function.oid) > 0 and e.extname in ('adminpack', 'pageinspect', 'pg_surgery',
      'pg_walinspect', 'http', 'pg_net') then 'warn'
    else 'info'
  end as severity,
  pg_catalog.quote_ident(e.extname) as object,
  pg_catalog.format(
    'the extension %%I %%s; PUBLIC may call %%s of its functions', e.extname, r.reach,
    case when pg_catalog.count(open_function.oid) = 0 then 'none' else pg_catalog.count(open_function.oid)::text end
  ) as title,
  'What it reaches is outside of what privileges on tables and row security hold. Who uses it should be few. '
  'Source: CIS PostgreSQL Benchmark, section 4; PostgreSQL manual, appendix F.' as why,
  coalesce(
    pg_catalog.string_agg(
      pg_catalog.format('revoke execute on function %%s from public;', open_function.oid::pg_catalog.regprocedure),
      E'\n' order by open_function.oid::pg_catalog.regprocedure::text
    ) filter (where open_function.oid is not null) || E'\n',
    ''
  ) || pg_catalog.format('-- or, where nobody uses it: drop extension %%I;', e.extname) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_extension e
join reaching r on r.name = e.extname
left join pg_catalog.pg_depend d
  on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  and d.refobjid = e.oid
  and d.deptype = 'e'
  and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
left join pg_catalog.pg_proc open_function
  on open_function.oid = d.objid
  and open_function.prokind = 'f'
  and open_function.prorettype not in (
    'pg_catalog.trigger'::pg_catalog.regtype, 'pg_catalog.fdw_handler'::pg_catalog.regtype,
    'pg_catalog.language_handler'::pg_catalog.regtype
  )
  and open_function.proname !~ '_(validator|handler)$'
  and exists (
    select
    from pg_catalog.aclexplode(
      coalesce(open_function.proacl, pg_catalog.acldefault('f', open_function.proowner))
    ) acl
    where acl.grantee = 0
  )
group by e.extname, r.reach
order by object;
