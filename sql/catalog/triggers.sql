-- triggers: the triggers of the relations, without those that the system keeps for foreign keys
-- needs: PostgreSQL 13   parameters: relations oid[]
select
  t.tgrelid as oid,
  t.tgname as name,
  array[n.nspname::text, p.proname::text] as function,
  pg_catalog.pg_get_triggerdef(t.oid) as definition,
  case t.tgenabled
    when 'O' then 'origin'
    when 'D' then 'disabled'
    when 'R' then 'replica'
    when 'A' then 'always'
  end as enabled,
  t.tgparentid <> 0 as inherited
from pg_catalog.unnest(%(relations)s::oid[]) as selected(oid)
join pg_catalog.pg_trigger t on t.tgrelid = selected.oid
join pg_catalog.pg_proc p on p.oid = t.tgfoid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where not t.tgisinternal
order by t.tgrelid, t.tgname;
