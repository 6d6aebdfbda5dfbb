-- stored_size: the bytes of a temporary table and of its TOAST table, and its rows
-- needs: PostgreSQL 13   parameters: name text
select
  pg_catalog.pg_table_size(c.oid) as size_bytes,
  coalesce(s.n_live_tup, 0) as rows
from pg_catalog.pg_class c
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where c.relname = %(name)s
  and c.relnamespace = pg_catalog.pg_my_temp_schema();
