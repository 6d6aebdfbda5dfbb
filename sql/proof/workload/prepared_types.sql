-- prepared_types: the types of the parameters of the statements that were prepared here, the system's unqualified
-- needs: PostgreSQL 13   parameters: prefix text
-- with the modifier -1 a type is its own self: bpchar, where character would be one letter long
select
  prepared.name,
  array(
    select
      case
        when n.nspname = 'pg_catalog' then pg_catalog.format_type(t.oid, -1)
        else pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname)
      end
    from pg_catalog.unnest(prepared.parameter_types::oid[]) with ordinality as parameter(type_oid, place)
    join pg_catalog.pg_type t on t.oid = parameter.type_oid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    order by parameter.place
  ) as parameter_types
from pg_catalog.pg_prepared_statements prepared
where pg_catalog.starts_with(prepared.name, %(prefix)s)
order by prepared.name;
