-- text_settings: values as text in one form, whatever the server's and the session's settings are
-- only inside a transaction; operators of extensions are found in every schema that has some
select
  pg_catalog.set_config('datestyle', 'ISO, YMD', true),
  pg_catalog.set_config('timezone', 'UTC', true),
  pg_catalog.set_config('intervalstyle', 'iso_8601', true),
  pg_catalog.set_config('extra_float_digits', '1', true),
  pg_catalog.set_config('bytea_output', 'hex', true);
