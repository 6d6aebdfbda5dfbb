-- large_objects: whether everybody may make large objects
-- needs: PostgreSQL 13
select pg_catalog.has_function_privilege('public', 'pg_catalog.lo_create(oid)', 'execute') as is_open;
