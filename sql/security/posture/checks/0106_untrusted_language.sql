-- untrusted_language: languages whose functions may do on the machine what the server may
-- level: warn   needs: PostgreSQL 13   scope: database   reads: all
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: c and internal, which every server has; trusted languages
select
  'untrusted_language' as "check",
  'warn' as severity,
  pg_catalog.quote_ident(l.lanname) as object,
  pg_catalog.format(
    'the untrusted language %%I is there, with %%s', l.lanname,
    case when uses.functions = 1 then '1 function' else uses.functions || ' functions' end
  ) as title,
  'Its functions read and write files, open connections and run programs as the server''s account, whoever calls '
  'them. Source: PostgreSQL manual, CREATE LANGUAGE.' as why,
  case
    when uses.functions = 0
      then pg_catalog.format('drop %%s %%I;', case when e.oid is null then 'language' else 'extension' end, coalesce(e.extname, l.lanname))
    else pg_catalog.format(
      E'-- first see what its functions do and who may call them:\n'
      'select oid::regprocedure, proacl from pg_catalog.pg_proc where prolang = %%s;', l.oid
    )
  end as fix,
  pg_catalog.jsonb_build_object('functions', uses.functions) as details
from pg_catalog.pg_language l
left join pg_catalog.pg_depend d
  on d.classid = 'pg_catalog.pg_language'::pg_catalog.regclass
  and d.objid = l.oid
  and d.deptype = 'e'
left join pg_catalog.pg_extension e on e.oid = d.refobjid
cross join lateral (
  select pg_catalog.count(*) as functions
  from pg_catalog.pg_proc p
  where p.prolang = l.oid
    and not exists (
      select
      from pg_catalog.pg_depend member
      where member.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        and member.objid = p.oid
        and member.deptype = 'e'
    )
) uses
where not l.lanpltrusted
  and l.lanname not in ('c', 'internal')
order by object;
