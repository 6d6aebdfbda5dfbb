-- resume: indexes, then foreign keys into force, which checks every row, and triggers on again
do $$
declare
    paused record;
begin
    for paused in
        select x.definition
        from paused_indexes x
        order by x.index_name
    loop
        execute paused.definition;
    end loop;
    for paused in
        select k.conrelid::pg_catalog.regclass as table_name, k.conname
        from pg_catalog.pg_constraint k
        where k.connamespace = 'shop'::pg_catalog.regnamespace
            and k.contype = 'f'
            and not k.conenforced
        order by k.conrelid::pg_catalog.regclass::text, k.conname
    loop
        execute pg_catalog.format('alter table %s alter constraint %I enforced', paused.table_name, paused.conname);
    end loop;
    for paused in
        select t.tgrelid::pg_catalog.regclass as table_name, t.tgname
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'shop'::pg_catalog.regnamespace
            and not t.tgisinternal
            and t.tgenabled = 'D'
        order by c.relname, t.tgname
    loop
        execute pg_catalog.format('alter table %s enable trigger %I', paused.table_name, paused.tgname);
    end loop;
end
$$;

drop function pg_temp.unit(bigint, bigint);

drop function pg_temp.uuid_at(timestamptz, bigint, bigint);
