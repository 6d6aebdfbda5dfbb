-- tls_weak_ciphers: ciphers that are broken or hide nothing
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 6 PostgreSQL settings   control: Ensure weak SSL/TLS ciphers are disabled
-- near miss: one that is excluded (!aNULL); TLS is off
select
  'tls_weak_ciphers' as "check",
  'warn' as severity,
  'server.ssl_ciphers' as object,
  'ssl_ciphers allows ' || weak.words as title,
  'NULL ciphers encrypt nothing, the anonymous ones prove no server, the others are broken. Source: CIS PostgreSQL '
  'Benchmark, section 6.' as why,
  E'alter system set ssl_ciphers = ''HIGH:!aNULL:!3DES'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_settings s
join pg_catalog.pg_settings tls on tls.name = 'ssl'
cross join lateral (
  select pg_catalog.string_agg(word.text, ', ' order by word.text) as words
  from pg_catalog.regexp_split_to_table(s.reset_val, '[:,; ]') as word(text)
  where word.text ~* '^\+?(ALL|COMPLEMENTOFALL|LOW|EXPORT|EXP|NULL|eNULL|aNULL|ADH|AECDH|RC4|DES|3DES|MD5|.*-(RC4|DES|MD5|NULL)(-.*)?)$'
    and word.text !~* '^(ECDHE|DHE|ECDH).*(GCM|CHACHA20|CCM)'
    and pg_catalog.strpos(s.reset_val, '!' || pg_catalog.ltrim(word.text, '+')) = 0
) weak
where s.name = 'ssl_ciphers'
  and tls.reset_val = 'on'
  and weak.words is not null
order by object;
