-- schema: belongs to the audit owner, as everything in it; who applies the design acts for that role
do $body$
begin
    if not pg_catalog.pg_has_role({owner_name}, 'usage') then
        execute 'grant {owner} to ' || pg_catalog.quote_ident(current_user);
    end if;
end
$body$;

create schema if not exists {audit};

comment on schema {audit} is
    'The audit trail. It refers to no live table, so that none of them is held back by it.';

alter schema {audit} owner to {owner};

revoke all on schema {audit} from public;
