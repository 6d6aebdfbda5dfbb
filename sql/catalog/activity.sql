-- activity: what has been done to each table since the statistics were reset
-- needs: PostgreSQL 13   parameters: system bool (the system's own tables instead of the users')
-- left out: reads, autovacuum's work, which is the server's own, and the tables that all databases share
select
  s.schemaname as schema,
  s.relname as name,
  s.n_tup_ins as inserted,
  s.n_tup_upd as updated,
  s.n_tup_del as deleted,
  s.vacuum_count as vacuums,
  s.analyze_count as analyzes
from pg_catalog.pg_stat_all_tables s
join pg_catalog.pg_class c on c.oid = s.relid and not c.relisshared
where (s.schemaname ~ '^pg_' or s.schemaname = 'information_schema') = %(system)s
order by s.schemaname, s.relname;
