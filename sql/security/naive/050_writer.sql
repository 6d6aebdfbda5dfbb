-- writer: every table of the schema, the audit trail among them
-- needs: PostgreSQL 13   placeholders: schema, role
grant usage on schema {schema} to {role};
grant insert, update, delete on all tables in schema {schema} to {role};
grant usage on all sequences in schema {schema} to {role};
alter default privileges in schema {schema} grant insert, update, delete on tables to {role};
