-- operators: the operators of extensions are found, wherever the extensions are, until the transaction ends
-- needs: PostgreSQL 13
select pg_catalog.set_config(
  'search_path',
  pg_catalog.concat_ws(
    ', ',
    nullif(pg_catalog.current_setting('search_path'), ''),
    (
      select pg_catalog.string_agg(distinct pg_catalog.quote_ident(n.nspname), ', ')
      from pg_catalog.pg_extension e
      join pg_catalog.pg_namespace n on n.oid = e.extnamespace
      where n.nspname <> 'pg_catalog'
    )
  ),
  true
);
