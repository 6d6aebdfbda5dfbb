-- row_security: turns row security of a table on or off, or binds the owner to it
-- needs: PostgreSQL 13   placeholders: table, action
alter table {table} {action} row level security;
