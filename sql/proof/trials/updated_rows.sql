-- updated_rows: the rows that this transaction has updated so far, and those of them that stayed in their page
-- needs: PostgreSQL 13
select
  coalesce(sum(s.n_tup_upd), 0)::bigint as updated,
  coalesce(sum(s.n_tup_hot_upd), 0)::bigint as hot
from pg_catalog.pg_stat_xact_user_tables s;
