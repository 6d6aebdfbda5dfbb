-- plan_as_if_new: let the planner take empty tables for new ones, for which it assumes ten pages
-- needs: PostgreSQL 13
-- it would take an analysed empty table for empty for ever, and any index for as good as another; before 14 it does not
update pg_catalog.pg_class
set reltuples = -1
where relkind = 'r'
  and reltuples = 0
  and oid >= 16384 -- not the system's own
  and pg_catalog.pg_relation_size(oid) = 0
  and pg_catalog.current_setting('server_version_num')::int >= 140000;
