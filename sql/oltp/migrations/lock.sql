-- lock: one migration run at a time, until the end of the transaction
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('shop.schema_migrations', 0));
