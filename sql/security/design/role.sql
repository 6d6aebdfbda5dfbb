-- role: one role of the design, made where it is not there yet and only adjusted where it carries the mark
-- needs: PostgreSQL 13   placeholders: role, name, login, connections, comment, mark
do $design$
declare
    found text := (
        select coalesce(pg_catalog.shobj_description(r.oid, 'pg_authid'), '')
        from pg_catalog.pg_roles r
        where r.rolname = {name}
    );
begin
    if found is null then
        create role {role}
        nosuperuser nocreatedb nocreaterole noreplication nobypassrls inherit {login}
        connection limit {connections};
        comment on role {role} is {comment};
    elsif pg_catalog.strpos(found, {mark}) = 0 then
        raise exception 'role % is there already and was not made for this intent', {name}
            using errcode = 'duplicate_object', hint = 'say existing: true to use it, or take another name';
    else
        alter role {role} {login} connection limit {connections};
    end if;
end
$design$;
