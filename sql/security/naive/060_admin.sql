-- admin: all privileges, with TRUNCATE, TRIGGER and REFERENCES, and objects of its own among the tables
-- needs: PostgreSQL 13   placeholders: schema, role
grant create on schema {schema} to {role};
grant all privileges on all tables in schema {schema} to {role};
grant all privileges on all sequences in schema {schema} to {role};
grant all privileges on all functions in schema {schema} to {role};
