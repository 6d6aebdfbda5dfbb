-- values_in_log: the values of parameters are logged whole
-- level: info   needs: PostgreSQL 13   scope: server   reads: settings
-- section: 3 Logging and auditing   control: own: the log holds no secret
-- near miss: no statement is logged at all, so that no value is either
select
  'values_in_log' as "check",
  'info' as severity,
  'server.' || s.name as object,
  pg_catalog.format('%%s is %%s, so that logged statements show the values sent with them', s.name, s.reset_val)
    as title,
  'A program that sends values apart from the statement keeps them out of its text, and this brings them back: '
  'personal data and passwords stand in the log. Source: PostgreSQL manual, 19.8 Error Reporting and Logging.'
    as why,
  pg_catalog.format(E'alter system set %%I = 0;\nselect pg_catalog.pg_reload_conf();', s.name) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where (
    s.name = 'log_parameter_max_length'
    and s.reset_val <> '0'
    and exists (
      select
      from pg_catalog.pg_settings logged
      where (logged.name = 'log_statement' and logged.reset_val in ('mod', 'all'))
        or (
          logged.name in ('log_min_duration_statement', 'log_min_duration_sample')
          and logged.reset_val <> '-1'
        )
    )
  )
  or (s.name = 'log_parameter_max_length_on_error' and s.reset_val <> '0')
order by object;
