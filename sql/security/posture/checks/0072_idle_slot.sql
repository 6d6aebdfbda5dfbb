-- idle_slot: a replication slot that nobody reads keeps the WAL until the disk is full
-- level: warn   needs: PostgreSQL 13   scope: server   reads: all
-- section: 7 Replication   control: Ensure streaming replication parameters are configured correctly
-- near miss: max_slot_wal_keep_size bounds it; a slot in use; a slot that has reserved nothing
select
  'idle_slot' as "check",
  'warn' as severity,
  pg_catalog.quote_ident(slot.slot_name) as object,
  pg_catalog.format('nobody reads the slot %%I, and nothing bounds what it keeps', slot.slot_name) as title,
  'A server whose disk is full stops; a logical slot keeps vacuum from the catalogs too. Source: PostgreSQL manual, '
  '26.2.6 Replication Slots.' as why,
  E'alter system set max_slot_wal_keep_size = ''10GB'';\nselect pg_catalog.pg_reload_conf();' as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_replication_slots slot
join pg_catalog.pg_settings bound on bound.name = 'max_slot_wal_keep_size'
where not slot.active
  and slot.restart_lsn is not null
  and bound.reset_val = '-1'
order by object;
