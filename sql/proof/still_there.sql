-- still_there: whether a constraint or index of a table is there at this moment of the transaction
-- needs: PostgreSQL 13   parameters: schema text, table text, name text
select exists (
  select
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = %(schema)s
    and c.relname = %(table)s
    and (
      exists (
        select
        from pg_catalog.pg_constraint con
        where con.conrelid = c.oid
          and con.conname = %(name)s
      )
      or exists (
        select
        from pg_catalog.pg_index i
        join pg_catalog.pg_class ic on ic.oid = i.indexrelid
        where i.indrelid = c.oid
          and ic.relname = %(name)s
      )
    )
) as found;
