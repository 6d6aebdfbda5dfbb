-- copied_size: the pages that the rows of the copy are on, and how many rows there are
-- needs: PostgreSQL 13
-- the file may be longer than that: a large insert extends it by many pages at once
select
  pg_catalog.count(*) as rows,
  coalesce((pg_catalog.max((c.ctid::text::pg_catalog.point)[0])::bigint + 1), 0)
    * pg_catalog.current_setting('block_size')::bigint as size_bytes
from pg_temp.workbench_order c;
