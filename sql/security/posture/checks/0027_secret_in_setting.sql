-- secret_in_setting: a secret in the settings of a database or a role, which every login may read
-- level: error   needs: PostgreSQL 13   scope: server   reads: all
-- section: 4 User access and authorization   control: own: no secret where every role reads it
-- near miss: settings of the server itself; a secret's lifetime, name, file or issuer
select
  'secret_in_setting' as "check",
  'error' as severity,
  pg_catalog.concat_ws(
    '.',
    coalesce(pg_catalog.quote_ident(d.datname), 'all databases'),
    coalesce(pg_catalog.quote_ident(r.rolname), 'all roles'),
    parts.name
  ) as object,
  pg_catalog.format('%%s is kept in pg_db_role_setting', parts.name) as title,
  'Every role of the cluster may read pg_db_role_setting, and the statement that set it may stand in the log. '
  'Source: PostgreSQL manual, 52.15 pg_db_role_setting. The value is not shown here.' as why,
  pg_catalog.format(
    E'alter %%s reset %%s;\n-- and renew the secret: whoever read it still has it',
    case
      when d.datname is null and r.rolname is null then 'role all'
      when d.datname is null then pg_catalog.format('role %%I', r.rolname)
      when r.rolname is null then pg_catalog.format('database %%I', d.datname)
      else pg_catalog.format('role %%I in database %%I', r.rolname, d.datname)
    end,
    (
      select pg_catalog.string_agg(pg_catalog.quote_ident(word.part), '.' order by word.position)
      from pg_catalog.unnest(pg_catalog.string_to_array(parts.name, '.')) with ordinality as word(part, position)
    )
  ) as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_db_role_setting s
left join pg_catalog.pg_database d on d.oid = s.setdatabase
left join pg_catalog.pg_roles r on r.oid = s.setrole
cross join lateral pg_catalog.unnest(s.setconfig) as entry(text)
cross join lateral (
  select
    pg_catalog.split_part(entry.text, '=', 1) as name,
    pg_catalog.substr(entry.text, pg_catalog.strpos(entry.text, '=') + 1) as value
) parts
where pg_catalog.strpos(parts.name, '.') > 0
  and parts.value <> ''
  and parts.name ~* '(password|passwd|secret|token|credential|api_?key|private_?key|_key$|\.key$)'
  and parts.name !~* '(lifetime|ttl|_id|_name|_file|_path|_length|issuer|_url|minutes|seconds|algorithm|enabled|expiry)$'
order by object;
