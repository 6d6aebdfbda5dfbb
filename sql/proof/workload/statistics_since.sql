-- statistics_since: since when pg_stat_statements counts, and how often it threw statements out
-- needs: PostgreSQL 14
-- formatted with: view
select
  i.dealloc as thrown_out,
  i.stats_reset::text as since,
  pg_catalog.now() - i.stats_reset < interval '1 day' as recent
from {view} i
order by i.stats_reset;
