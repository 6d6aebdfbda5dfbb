-- hba_superuser: rules by which a superuser may come over the network
-- level: info   needs: PostgreSQL 13   scope: server   reads: hba
-- section: 5 Connection and login   control: Ensure superusers are not allowed to connect remotely
-- near miss: an earlier rule that rejects the superusers; a rule that names other roles; the loopback
select
  'hba_superuser' as "check",
  'info' as severity,
  'pg_hba.conf:' || h.line_number as object,
  pg_catalog.format(
    'line %%s lets the superuser %%I in from %%s', h.line_number,
    pg_catalog.min(r.rolname::text), h.address
  ) as title,
  'A stolen password of a superuser is the whole machine. Source: CIS PostgreSQL Benchmark, section 5.' as why,
  pg_catalog.format(
    E'-- in pg_hba.conf, before line %%s, add a line for each superuser: host all %%I all reject; and then:\n'
    'select pg_catalog.pg_reload_conf();', h.line_number, pg_catalog.min(r.rolname::text)
  ) as fix,
  pg_catalog.jsonb_build_object('line', h.line_number) as details
from pg_catalog.pg_hba_file_rules h
join pg_catalog.pg_roles r
  on r.rolsuper
  and r.rolcanlogin
  and ('all' = any(h.user_name) or r.rolname = any(h.user_name))
where h.type like 'host%%'
  and h.auth_method <> 'reject'
  and h.address not in ('127.0.0.1', '::1', 'localhost', 'samehost')
  and not exists (
    select
    from pg_catalog.pg_hba_file_rules earlier
    where earlier.line_number < h.line_number
      and earlier.type in ('host', h.type)
      and earlier.auth_method = 'reject'
      and earlier.database @> array['all']
      and (earlier.address = 'all' or (earlier.address = h.address and earlier.netmask = h.netmask))
      and (r.rolname = any(earlier.user_name) or 'all' = any(earlier.user_name))
  )
group by h.line_number, h.address
order by object;
