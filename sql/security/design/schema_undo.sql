-- schema_undo: drops the design's own schema, which is empty by then
-- needs: PostgreSQL 13   placeholders: schema
drop schema if exists {schema};
