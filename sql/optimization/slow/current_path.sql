-- current_path: the schemas of the search path that exist, without the system's own
-- needs: PostgreSQL 13
select pg_catalog.current_schemas(false)::text[] as schemas;
