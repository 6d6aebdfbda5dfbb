-- debug_output: parse trees and plans, with the values in them, go to the log
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 3 Logging and auditing   control: Ensure 'debug_print_parse', 'debug_print_rewritten' and 'debug_print_plan' are disabled
-- near miss: debug_pretty_print, which prints nothing by itself
select
  'debug_output' as "check",
  'warn' as severity,
  'server.' || s.name as object,
  s.name || ' is on' as title,
  'Each statement is logged as a tree with its constants: whatever an application writes into a statement, a '
  'password among it, stands in the log. Source: CIS PostgreSQL Benchmark, section 3.1, Logging.' as why,
  pg_catalog.format(E'alter system set %%I = off;\nselect pg_catalog.pg_reload_conf();', s.name) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
where s.name in ('debug_print_parse', 'debug_print_rewritten', 'debug_print_plan', 'debug_print_raw_parse')
  and s.reset_val = 'on'
order by object;
