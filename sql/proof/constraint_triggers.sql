-- constraint_triggers: the server's own triggers by which a constraint refuses, those on partitions among them
-- needs: PostgreSQL 13
-- for a foreign key, those on the referencing side; for a deferrable key, those that look again
-- a foreign key that is not enforced has none
with recursive copies as (
  select con.oid, con.oid as root
  from pg_catalog.pg_constraint con
  where con.contype in ('f', 'p', 'u', 'x')
  union all
  select con.oid, c.root
  from copies c
  join pg_catalog.pg_constraint con on con.conparentid = c.oid
)
select
  n.nspname as schema,
  r.relname as "table",
  con.conname as constraint_name,
  tn.nspname as trigger_schema,
  tr.relname as trigger_table,
  t.tgname as trigger_name,
  t.tgenabled as enabled
from copies c
join pg_catalog.pg_constraint con on con.oid = c.root
join pg_catalog.pg_class r on r.oid = con.conrelid
join pg_catalog.pg_namespace n on n.oid = r.relnamespace
join pg_catalog.pg_trigger t on t.tgconstraint = c.oid
join pg_catalog.pg_class tr on tr.oid = t.tgrelid
join pg_catalog.pg_namespace tn on tn.oid = tr.relnamespace
join pg_catalog.pg_proc p on p.oid = t.tgfoid
where p.proname in ('RI_FKey_check_ins', 'RI_FKey_check_upd', 'unique_key_recheck')
  and p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
order by n.nspname, r.relname, con.conname, tn.nspname, tr.relname, t.tgname;
