-- holds_tables: whether there is a table or view that is neither the system's nor an extension's
-- needs: PostgreSQL 13
select exists (
    select
    from pg_catalog.pg_class as relation
    join pg_catalog.pg_namespace as schema
        on schema.oid = relation.relnamespace
    where relation.relkind in ('r', 'p', 'v', 'm', 'f')
      and schema.nspname <> 'information_schema'
      and schema.nspname !~ '^pg_'
      and not exists (
          select
          from pg_catalog.pg_depend as dependency
          where dependency.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
            and dependency.objid = relation.oid
            and dependency.deptype = 'e'
      )
) as holds_tables;
