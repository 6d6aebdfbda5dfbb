-- audit owner: the trail and its functions belong to a role that nobody logs in as
do $$
declare
    object record;
begin
    execute 'alter schema audit owner to audit_owner';
    for object in
        select c.oid::pg_catalog.regclass as name
        from pg_catalog.pg_class c
        where c.relnamespace = 'audit'::pg_catalog.regnamespace
            and c.relkind in ('r', 'p')
        order by c.relkind, c.relname
    loop
        execute pg_catalog.format('alter table %s owner to audit_owner', object.name);
    end loop;
    for object in
        select p.oid::pg_catalog.regprocedure as name
        from pg_catalog.pg_proc p
        where p.pronamespace = 'audit'::pg_catalog.regnamespace
        order by p.oid
    loop
        execute pg_catalog.format('alter routine %s owner to audit_owner', object.name);
    end loop;
end
$$;
