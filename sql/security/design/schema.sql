-- schema: the place of the design's own functions, which must be new or bear the mark
-- needs: PostgreSQL 13   placeholders: schema, name, owner, comment, mark
do $design$
declare
    found text := (
        select coalesce(pg_catalog.obj_description(n.oid, 'pg_namespace'), '')
        from pg_catalog.pg_namespace n
        where n.nspname = {name}
    );
begin
    if found is null then
        create schema {schema} authorization {owner};
        comment on schema {schema} is {comment};
    elsif pg_catalog.strpos(found, {mark}) = 0 then
        raise exception 'schema % is there already and was not made for this intent', {name}
            using errcode = 'duplicate_schema', hint = 'name another schema in the intent';
    end if;
end
$design$;
