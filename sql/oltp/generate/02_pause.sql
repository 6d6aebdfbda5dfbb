-- pause: what the load does in one piece instead of row by row
-- Foreign keys are put out of force here and into force again by 90_resume, which checks every row then.
-- Triggers that stamp, log to the audit trail, write the status history or compare an order with its
-- lines are off for the load: the generator writes these rows itself and 80_verify checks the same rules
-- over all rows. CHECK, NOT NULL and UNIQUE constraints, the currency triggers, the address copies and
-- the ledger stay as they are. Indexes that enforce nothing are made anew at the end, by sorting.
create temporary table paused_indexes on commit drop as
select i.indexrelid::regclass::text as index_name, pg_catalog.pg_get_indexdef(i.indexrelid) as definition
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indrelid
where c.relnamespace = 'shop'::pg_catalog.regnamespace
    and not i.indisunique
    and not i.indisexclusion;

do $$
declare
    paused record;
begin
    for paused in
        select k.conrelid::pg_catalog.regclass as table_name, k.conname
        from pg_catalog.pg_constraint k
        where k.connamespace = 'shop'::pg_catalog.regnamespace
            and k.contype = 'f'
        order by k.conrelid::pg_catalog.regclass::text, k.conname
    loop
        execute pg_catalog.format('alter table %s alter constraint %I not enforced', paused.table_name, paused.conname);
    end loop;
    for paused in
        select x.index_name
        from paused_indexes x
        order by x.index_name
    loop
        execute 'drop index ' || paused.index_name;
    end loop;
    for paused in
        select t.tgrelid::pg_catalog.regclass as table_name, t.tgname
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'shop'::pg_catalog.regnamespace
            and not t.tgisinternal
            and t.tgfoid in (
                'audit.record_change()'::pg_catalog.regprocedure,
                'shop.maintain_timestamps()'::pg_catalog.regprocedure,
                'shop.record_order_status()'::pg_catalog.regprocedure,
                'shop.check_order_totals()'::pg_catalog.regprocedure
            )
        order by c.relname, t.tgname
    loop
        execute pg_catalog.format('alter table %s disable trigger %I', paused.table_name, paused.tgname);
    end loop;
end
$$;
