-- without_schema: the schema and all that depends on it goes, such as the triggers of an audit trail
-- needs: PostgreSQL 13   placeholders: schema
drop schema if exists {schema} cascade;
