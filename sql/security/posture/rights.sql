-- rights: which of the sources of the checks the role of this session may read
-- needs: PostgreSQL 13
select
  pg_catalog.pg_has_role(current_user, 'pg_read_all_settings', 'usage') as settings,
  pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'select') as verifiers,
  pg_catalog.has_table_privilege('pg_catalog.pg_hba_file_rules', 'select')
    and pg_catalog.has_function_privilege('pg_catalog.pg_hba_file_rules()', 'execute') as hba,
  pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sessions,
  pg_catalog.has_table_privilege('pg_catalog.pg_user_mapping', 'select') as mappings,
  pg_catalog.has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'select') as subscriptions,
  current_user::text as role;
