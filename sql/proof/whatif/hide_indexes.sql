-- hide_indexes: make indexes ones that the planner passes over
-- needs: PostgreSQL 18   parameters: indexes oid[]
update pg_catalog.pg_index
set indisvalid = false
where indexrelid = any (%(indexes)s::oid[]);
