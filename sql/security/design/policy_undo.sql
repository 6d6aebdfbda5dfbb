-- policy_undo: takes a policy away
-- needs: PostgreSQL 13   placeholders: policy, table
drop policy if exists {policy} on {table};
