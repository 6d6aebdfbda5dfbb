-- reader: every table of the schema, and every table that its owner makes later
-- needs: PostgreSQL 13   placeholders: schema, role
grant usage on schema {schema} to {role};
grant select on all tables in schema {schema} to {role};
grant select on all sequences in schema {schema} to {role};
alter default privileges in schema {schema} grant select on tables to {role};
