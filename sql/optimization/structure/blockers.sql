-- blockers: who holds back the horizon before which vacuum may remove dead rows
-- needs: PostgreSQL 13
-- the sessions of other roles show their horizon only to members of pg_read_all_stats
with holders as (
  select
    'session' as kind,
    pg_catalog.format('pid %%s (%%s, %%s)', a.pid, a.usename, a.state) as name,
    a.pid,
    greatest(pg_catalog.age(a.backend_xmin), pg_catalog.age(a.backend_xid)) as xid_age,
    pg_catalog.date_part('epoch', pg_catalog.now() - a.xact_start) as held_s
  from pg_catalog.pg_stat_activity a
  where a.pid <> pg_catalog.pg_backend_pid()
    and a.backend_type in ('client backend', 'background worker')
    and (a.backend_xmin is not null or a.backend_xid is not null)
    and (a.datname = pg_catalog.current_database() or a.datname is null)
  union all
  select
    'replication slot',
    s.slot_name::text,
    null,
    greatest(pg_catalog.age(s.xmin), pg_catalog.age(s.catalog_xmin)),
    null
  from pg_catalog.pg_replication_slots s
  where s.xmin is not null
    or s.catalog_xmin is not null
  union all
  select
    'prepared transaction',
    p.gid,
    null,
    pg_catalog.age(p.transaction),
    pg_catalog.date_part('epoch', pg_catalog.now() - p.prepared)
  from pg_catalog.pg_prepared_xacts p
  where p.database = pg_catalog.current_database()
  union all
  select
    'replica with hot_standby_feedback',
    coalesce(r.application_name, r.pid::text),
    r.pid,
    pg_catalog.age(r.backend_xmin),
    null
  from pg_catalog.pg_stat_replication r
  where r.backend_xmin is not null
)
select h.kind, h.name, h.pid, h.xid_age, h.held_s
from holders h
order by h.xid_age desc nulls last, h.kind, h.name;
