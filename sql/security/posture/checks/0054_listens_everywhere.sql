-- listens_everywhere: the server listens on every address of the machine
-- level: info   needs: PostgreSQL 13   scope: server   reads: all
-- section: 5 Connection and login   control: Ensure PostgreSQL is bound to an IP address
-- near miss: a list of addresses; no address
select
  'listens_everywhere' as "check",
  'info' as severity,
  'server.listen_addresses' as object,
  'listen_addresses is ' || s.setting as title,
  'An address that is added to the machine later is open without a decision. In a container, whose network is '
  'closed by its platform, this is usual. Source: CIS PostgreSQL Benchmark, section 5.' as why,
  E'-- the address that the programs use; takes effect at the next start\n'
    'alter system set listen_addresses = ''localhost'';' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name = 'listen_addresses'
  and s.setting ~ '(\*|0\.0\.0\.0|(^|,)\s*::\s*(,|$))'
order by object;
