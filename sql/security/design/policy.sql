-- policy: which rows one role may reach with one command
-- needs: PostgreSQL 13   placeholders: policy, table, command, roles, using, check
drop policy if exists {policy} on {table};
create policy {policy} on {table} as permissive for {command} to {roles}{using}{check};
