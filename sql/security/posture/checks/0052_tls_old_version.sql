-- tls_old_version: TLS 1.0 or 1.1 is accepted
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure the TLSv1.0 and TLSv1.1 protocols are disabled
-- near miss: TLSv1.2 and later; TLS is off, which is reported by itself
select
  'tls_old_version' as "check",
  'error' as severity,
  'server.ssl_min_protocol_version' as object,
  'ssl_min_protocol_version is ' || coalesce(nullif(s.reset_val, ''), 'not set') as title,
  'Both are withdrawn (RFC 8996): known attacks read what they carry. Source: CIS PostgreSQL Benchmark, section 6.'
    as why,
  E'alter system set ssl_min_protocol_version = ''TLSv1.2'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings tls on tls.name = 'ssl'
where s.name = 'ssl_min_protocol_version'
  and s.reset_val in ('', 'TLSv1', 'TLSv1.1')
  and tls.reset_val = 'on'
order by object;
