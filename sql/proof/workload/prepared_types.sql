-- prepared_types: the types of the parameters of the statements that were prepared here, and of their results
-- needs: PostgreSQL 13   parameters: prefix text
select
  prepared.name,
  prepared.parameter_types::text[] as parameter_types
from pg_catalog.pg_prepared_statements prepared
where pg_catalog.starts_with(prepared.name, %(prefix)s)
order by prepared.name;
