-- policy_columns: the columns of a table with the values of some of its rows, to be tried as an identity
-- needs: PostgreSQL 13   parameters: schema text, table text, policy text
select a.attname as name
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = %(schema)s
  and c.relname = %(table)s
  and a.attnum > 0
  and not a.attisdropped
  and exists (
    select
    from pg_catalog.pg_policy p
    where p.polrelid = c.oid
      and p.polname = %(policy)s
      and pg_catalog.strpos(pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.quote_ident(a.attname)) > 0
  )
order by a.attnum;
