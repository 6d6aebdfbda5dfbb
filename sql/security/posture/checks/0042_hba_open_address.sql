-- hba_open_address: rules for every address there is
-- level: warn   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure authorized IP address ranges are used
-- near miss: reject; a rule for a network or the loopback
select
  'hba_open_address' as "check",
  'warn' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s: %%s %%s %%s is open to %%s', h.line_number, h.type, pg_catalog.array_to_string(h.database, ','),
    pg_catalog.array_to_string(h.user_name, ','),
    case when h.address = 'all' then 'all addresses' else h.address || '/0' end
  ) as title,
  'Every address that reaches the port may try to log in. Source: CIS PostgreSQL Benchmark, section 5.' as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, line %%s, name the networks of the programs, and then:\n'
    'select pg_catalog.pg_reload_conf();', h.line_number
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where h.type like 'host%%'
  and h.auth_method <> 'reject'
  and (h.address = 'all' or h.netmask in ('0.0.0.0', '::'))
order by object;
