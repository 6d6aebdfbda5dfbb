-- role_undo: drops a role that the design made, unless another database still needs it
-- needs: PostgreSQL 13   placeholders: role, name, mark
do $design$
begin
    if exists (
        select
        from pg_catalog.pg_roles r
        where r.rolname = {name}
            and pg_catalog.strpos(coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), ''), {mark}) > 0
    ) then
        drop role {role};
    end if;
exception
    when dependent_objects_still_exist then
        raise notice 'role % is kept: something else still needs it', {name};
end
$design$;
