-- invalid_index: indexes that no query may use
-- level: error   needs: PostgreSQL 13   parameters: tables oid[]
-- near miss: a partitioned index that waits for its partitions' indexes; an index that CREATE INDEX
-- CONCURRENTLY or REINDEX CONCURRENTLY is building at this moment
select
  'invalid_index' as "check",
  'error' as severity,
  pg_catalog.format('%%I.%%I.%%I', n.nspname, c.relname, ic.relname) as object,
  pg_catalog.format('%%I on %%I.%%I is invalid: no query uses it', ic.relname, n.nspname, c.relname)
  || case when i.indisready then ', every write still pays for it' else '' end as title,
  'CREATE INDEX CONCURRENTLY or REINDEX CONCURRENTLY was interrupted or failed, and left an index '
  'that is ignored by queries and, where it is a unique one, does not guarantee that the rows there '
  'are distinct. Source: PostgreSQL manual, CREATE INDEX, Building Indexes Concurrently.' as why,
  case
    when not i.indislive or (ic.relname ~ '_cc(new|old)[0-9]*$' and con.oid is null) then
      pg_catalog.format('drop index concurrently %%I.%%I;', n.nspname, ic.relname)
    else pg_catalog.format('reindex index concurrently %%I.%%I;', n.nspname, ic.relname)
  end as fix,
  pg_catalog.jsonb_build_object(
    'schema', n.nspname,
    'table', c.relname,
    'index', ic.relname,
    'unique', i.indisunique,
    'ready', i.indisready,
    'live', i.indislive,
    'size_bytes', pg_catalog.pg_relation_size(i.indexrelid)
  ) as details
from pg_catalog.unnest(%(tables)s::oid[]) as selected(oid)
join pg_catalog.pg_class c on c.oid = selected.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_index i on i.indrelid = c.oid
join pg_catalog.pg_class ic on ic.oid = i.indexrelid
left join pg_catalog.pg_constraint con
  on con.conindid = i.indexrelid
  and con.conrelid = i.indrelid
  and con.contype in ('p', 'u', 'x')
where ic.relkind = 'i'
  and not (i.indisvalid and i.indisready and i.indislive)
  and not exists (
    select
    from pg_catalog.pg_stat_progress_create_index p
    join pg_catalog.pg_locks l on l.pid = p.pid
    where l.locktype = 'relation'
      and l.relation = c.oid
      and l.database = (
        select d.oid
        from pg_catalog.pg_database d
        where d.datname = pg_catalog.current_database()
      )
      and l.mode in ('ShareUpdateExclusiveLock', 'ShareLock')
      and l.pid <> pg_catalog.pg_backend_pid()
  )
order by object;
