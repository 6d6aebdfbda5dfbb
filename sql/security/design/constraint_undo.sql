-- constraint_undo: takes a constraint away
-- needs: PostgreSQL 13   placeholders: table, constraint
alter table {table} drop constraint if exists {constraint};
