-- pgstattuple: where the extension is, and whether this role may use it
-- needs: PostgreSQL 13
select
  n.nspname as schema,
  e.extversion as version,
  pg_catalog.bool_and(pg_catalog.has_function_privilege(p.oid, 'execute'))
    and pg_catalog.has_schema_privilege(n.oid, 'usage') as usable
from pg_catalog.pg_extension e
join pg_catalog.pg_namespace n on n.oid = e.extnamespace
join pg_catalog.pg_depend d
  on d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  and d.refobjid = e.oid
  and d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
join pg_catalog.pg_proc p on p.oid = d.objid and p.proname in ('pgstattuple_approx', 'pgstatindex')
where e.extname = 'pgstattuple'
group by n.oid, n.nspname, e.extversion;
