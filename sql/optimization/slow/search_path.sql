-- search_path: the schemas that a statement's names are looked up in, until the transaction ends
-- needs: PostgreSQL 13   parameters: names text[]
select pg_catalog.set_config(
  'search_path',
  (
    select pg_catalog.string_agg(pg_catalog.quote_ident(given.name), ', ' order by given.position)
    from pg_catalog.unnest(%(names)s::text[]) with ordinality as given(name, position)
  ),
  true
);
