-- always_firing: the triggers and rules that someone declared and that fire on a replica, too
-- needs: PostgreSQL 13
select
  n.nspname as schema,
  c.relname as "table",
  'trigger' as kind,
  t.tgname as name
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal
  and t.tgenabled in ('A', 'R')
union all
select
  n.nspname,
  c.relname,
  'rule',
  r.rulename
from pg_catalog.pg_rewrite r
join pg_catalog.pg_class c on c.oid = r.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.ev_type <> '1'
  and r.ev_enabled in ('A', 'R')
order by schema, "table", kind, name;
