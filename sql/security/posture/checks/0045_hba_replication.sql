-- hba_replication: replication without a proof, or from every address
-- level: warn   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 7 Replication   control: Ensure a replication-only user is created and used for streaming replication
-- near miss: a rule that names the replication role and the standby's address
select
  'hba_replication' as "check",
  'warn' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format('line %%s: replication by every role from the network', h.line_number) as title,
  'Who replicates has a copy of every database of the cluster: the rule should name one role, made for that. '
  'Source: CIS PostgreSQL Benchmark, section 7.' as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, line %%s, name the role and the address of the standby, and then:\n'
    'select pg_catalog.pg_reload_conf();', h.line_number
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
where 'replication' = any(h.database)
  and 'all' = any(h.user_name)
  and h.type like 'host%%'
  and h.address not in ('127.0.0.1', '::1', 'localhost', 'samehost')
  and h.auth_method <> 'reject'
order by object;
