-- settings: a value has the same text in every session, and a policy that would hide rows is an error
select
  pg_catalog.set_config('datestyle', 'ISO, YMD', true),
  pg_catalog.set_config('intervalstyle', 'postgres', true),
  pg_catalog.set_config('timezone', 'UTC', true),
  pg_catalog.set_config('extra_float_digits', '1', true),
  pg_catalog.set_config('bytea_output', 'hex', true),
  pg_catalog.set_config('xmloption', 'content', true),
  pg_catalog.set_config('row_security', 'off', true);
