-- statistics_state: whether pg_stat_statements counts here, and what the role may see of it
-- needs: PostgreSQL 13
select
  exists (
    select
    from pg_catalog.pg_settings s
    where s.name = 'pg_stat_statements.max' and s.vartype = 'integer'
  ) as loaded,
  exists (
    select from pg_catalog.pg_available_extensions a where a.name = 'pg_stat_statements'
  ) as available,
  (
    select n.nspname
    from pg_catalog.pg_extension e
    join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
  ) as schema_name,
  (
    select pg_catalog.array_agg(a.attname::text order by a.attname)
    from pg_catalog.pg_extension e
    join pg_catalog.pg_class c on c.relnamespace = e.extnamespace and c.relname = 'pg_stat_statements'
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where e.extname = 'pg_stat_statements'
  ) as column_names,
  exists (
    select
    from pg_catalog.pg_extension e
    join pg_catalog.pg_class c on c.relnamespace = e.extnamespace and c.relname = 'pg_stat_statements_info'
    where e.extname = 'pg_stat_statements'
  ) as has_info,
  pg_catalog.current_setting('pg_stat_statements.track', true) as track,
  pg_catalog.current_setting('compute_query_id', true) as query_identifiers,
  pg_catalog.current_database()::text as database_name,
  current_user::text as role_name,
  pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'usage') as reads_all;
