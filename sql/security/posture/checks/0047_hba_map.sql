-- hba_map: an account of the machine that may be more than one role of the database
-- level: info   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure login via local UNIX domain socket is configured correctly
-- near miss: peer without a map, where account and role have one name
select
  'hba_map' as "check",
  'info' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s: %%s with %%s', h.line_number, h.auth_method,
    (
      select pg_catalog.string_agg(option.text, ', ' order by option.text)
      from pg_catalog.unnest(h.options) as option(text)
      where option.text like 'map=%%'
    )
  ) as title,
  'A map decides which roles an account may be; one with a pattern or with all may let it be a superuser. Read '
  'pg_ident.conf. Source: PostgreSQL manual, 20.2 User Name Maps.' as why,
  E'-- read the map''s lines:\nselect * from pg_catalog.pg_ident_file_mappings;' as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.auth_method in ('peer', 'ident', 'cert')
  and exists (
    select
    from pg_catalog.unnest(h.options) as option(text)
    where option.text like 'map=%%'
  )
order by object;
