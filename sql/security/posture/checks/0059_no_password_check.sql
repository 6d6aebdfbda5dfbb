-- no_password_check: nothing refuses a short password, and nothing slows down a guesser
-- level: info   needs: PostgreSQL 13   scope: server   reads: settings
-- section: 5 Connection and login   control: Ensure password complexity is configured; ensure authentication timeout and delay are well configured
-- near miss: passwordcheck, credcheck or passwordpolicy, and auth_delay, are loaded
select
  'no_password_check' as "check",
  'info' as severity,
  'server.' || module.name as object,
  module.title,
  module.reason || 'Source: PostgreSQL manual, appendix F; CIS PostgreSQL Benchmark, section 5.' as why,
  pg_catalog.format(
    E'-- add %%s to shared_preload_libraries (now: %%s) and restart:\nshow shared_preload_libraries;',
    module.name, coalesce(nullif(loaded.setting, ''), 'none')
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from (
  values
    (
      'passwordcheck', '\m(passwordcheck|credcheck|passwordpolicy|passwordcheck_extra)\M',
      'no module checks new passwords',
      'The server takes any password, an empty one excepted. It cannot check one that the client has hashed. '
    ),
    (
      'auth_delay', '\m(auth_delay|credcheck)\M', 'no module delays an answer to a wrong password',
      'A guesser may try as fast as the network allows. '
    )
) as module(name, pattern, title, reason)
join pg_catalog.pg_settings loaded on loaded.name = 'shared_preload_libraries'
where loaded.setting !~ module.pattern
order by object;
