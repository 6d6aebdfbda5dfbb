-- own_rows: the keys of the rows that belong to the current identity, for the policies of the tables below
-- needs: PostgreSQL 13   placeholders: view, columns, table, condition, owner
create or replace view {view} with (security_barrier = true) as
select {columns}
from {table} t
where {condition};
alter view {view} owner to {owner};
