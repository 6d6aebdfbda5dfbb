-- found_policy: a policy as it was before the design replaced it
-- needs: PostgreSQL 13   placeholders: policy, table, kind, command, roles, using, check
create policy {policy} on {table} as {kind} for {command} to {roles}{using}{check};
