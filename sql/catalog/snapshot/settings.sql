-- settings: names bear their schema whatever the session's search path is; no time goes into compiling plans
select
  pg_catalog.set_config('search_path', '', true),
  pg_catalog.set_config('jit', 'off', true),
  pg_catalog.set_config('quote_all_identifiers', 'off', true);
