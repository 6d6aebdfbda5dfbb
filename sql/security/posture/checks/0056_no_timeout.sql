-- no_timeout: sessions that may run, wait or idle in a transaction for ever
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure backend runtime parameters are configured correctly; ensure authentication timeout is set
-- near miss: a time-out of the database or of this role; authentication_timeout of a minute or less
select
  'no_timeout' as "check",
  'info' as severity,
  'server.' || s.name as object,
  case
    when s.name = 'authentication_timeout' then pg_catalog.format('authentication_timeout is %%s s', s.reset_val)
    else s.name || ' is not set'
  end as title,
  case s.name
    when 'statement_timeout' then 'One statement can hold a processor, memory and locks until somebody ends it. Set '
      'it for the roles of programs, not for the whole server, where backups run too. '
    when 'idle_in_transaction_session_timeout' then 'A program that died in a transaction keeps its locks, and '
      'vacuum from removing what was deleted since. '
    else 'Connections that never finish their login take the places of others. '
  end || 'Source: PostgreSQL manual, 19.11 Client Connection Defaults; CIS PostgreSQL Benchmark, sections 5 and 6.'
    as why,
  case s.name
    when 'authentication_timeout' then E'alter system set authentication_timeout = ''1min'';\n'
      'select pg_catalog.pg_reload_conf();'
    else pg_catalog.format(
      E'-- or for the role of a program: alter role … set %%I = …\nalter database %%I set %%I = ''5min'';',
      s.name, pg_catalog.current_database(), s.name
    )
  end as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where (
    s.name in ('statement_timeout', 'idle_in_transaction_session_timeout')
    and s.reset_val = '0'
    and not exists (
      select
      from pg_catalog.pg_db_role_setting own
      cross join lateral pg_catalog.unnest(own.setconfig) as entry(text)
      left join pg_catalog.pg_roles r on r.oid = own.setrole
      where entry.text ~ ('^' || s.name || '=0*[1-9]')
        and (
          own.setdatabase in (0, (
            select d.oid
            from pg_catalog.pg_database d
            where d.datname = pg_catalog.current_database()
          ))
        )
    )
  )
  or (s.name = 'authentication_timeout' and s.reset_val::int > 60)
order by object;
