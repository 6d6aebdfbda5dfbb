-- log_line_prefix: a line of the log does not say when, by whom, where and from which host
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure 'log_line_prefix' is set correctly
-- near miss: csvlog or jsonlog alone, which hold all of it
select
  'log_line_prefix' as "check",
  'info' as severity,
  'server.log_line_prefix' as object,
  'log_line_prefix lacks ' || pg_catalog.array_to_string(lacks.parts, ', ') as title,
  'A line that does not name its session cannot be told from those of others. Source: CIS PostgreSQL '
  'Benchmark, section 3.1, Logging.' as why,
  E'alter system set log_line_prefix = ''%%m [%%p]: db=%%d,user=%%u,app=%%a,client=%%h '';\n'
    'select pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings destination on destination.name = 'log_destination'
cross join lateral (
  select pg_catalog.array_agg(part.name order by part.position) as parts
  from (
    values
      (1, 'the time', '%%-?\d*[mtn]'),
      (2, 'the process', '%%-?\d*[pc]'),
      (3, 'the user', '%%-?\d*u'),
      (4, 'the database', '%%-?\d*d'),
      (5, 'the client', '%%-?\d*[hr]')
  ) as part(position, name, pattern)
  where s.reset_val !~ part.pattern
) lacks
where s.name = 'log_line_prefix'
  and lacks.parts is not null
  and destination.reset_val ~ '(stderr|syslog|eventlog)'
order by object;
