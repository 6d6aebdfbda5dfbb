-- support: sees all rows of the protected table
-- needs: PostgreSQL 13   placeholders: table, policy, role
create policy {policy} on {table}
for select
to {role}
using (true);
