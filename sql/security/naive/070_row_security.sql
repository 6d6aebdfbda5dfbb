-- row_security: of one table alone, not for its owner, by a setting that any session can set, for every command
-- needs: PostgreSQL 13   placeholders: table, policy, role, column, type
alter table {table} enable row level security;

create policy {policy} on {table}
for all
to {role}
using ({column} = nullif(current_setting('app.current_user_id', true), '')::{type});
