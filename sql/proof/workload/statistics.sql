-- statistics: the statements of this database by their time, all users of one together
-- needs: PostgreSQL 13   parameters: most int, longest int
-- formatted with: view, and by the extension's version total_ms, mean_ms, max_ms, wal_bytes, top_level
with measured as (
  select
    s.queryid,
    {top_level} as top_level,
    min(s.query) as query,
    sum(s.calls)::bigint as calls,
    sum({total_ms}) as total_ms,
    max({max_ms}) as max_ms,
    sum(s.rows)::bigint as rows,
    sum(s.shared_blks_hit)::bigint as blocks_hit,
    sum(s.shared_blks_read)::bigint as blocks_read,
    sum(s.temp_blks_written)::bigint as temp_blocks_written,
    sum({wal_bytes})::bigint as wal_bytes
  from {view} s
  where s.dbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and s.calls > 0
  group by 1, 2
),
ranked as (
  select
    m.*,
    m.total_ms / m.calls as mean_ms,
    pg_catalog.row_number() over (order by m.total_ms desc, m.queryid) as by_total,
    pg_catalog.row_number() over (order by m.total_ms / m.calls desc, m.queryid) as by_mean,
    sum(m.total_ms) filter (where m.top_level) over () as all_ms,
    count(*) over () as all_statements
  from measured m
)
select
  r.queryid,
  r.top_level,
  case when pg_catalog.length(r.query) <= %(longest)s then r.query end as query,
  pg_catalog.length(r.query) as characters,
  r.calls,
  r.total_ms,
  r.mean_ms,
  r.max_ms,
  r.rows,
  r.blocks_hit,
  r.blocks_read,
  r.temp_blocks_written,
  r.wal_bytes,
  coalesce(r.all_ms, 0) as all_ms,
  r.all_statements
from ranked r
where r.by_total <= %(most)s or r.by_mean <= %(most)s
order by r.total_ms desc, r.queryid, r.top_level;
