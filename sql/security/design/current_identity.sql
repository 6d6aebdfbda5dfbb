-- current_identity: for whom the session acts, or NULL; it never raises, whatever the setting holds
-- needs: PostgreSQL 13   placeholders: function, type, table, valid, cast, audience, unexpired, signed
-- A token is v1.key.identity.role.database.begins.expires.mac: names in hexadecimal of their UTF-8, times in
-- seconds since 1970, the mac over all that is before it. Both macs are hashed before they are compared, so
-- that the time of the comparison says nothing of them. What is not signed is never decoded.
create or replace function {function}()
returns {type}
language sql
stable
parallel safe
security definer
set search_path = ''
as $function$
    select {cast}
    from (
        select pg_catalog.string_to_array(given.token, '.') as part, given.token
        from (select pg_catalog.current_setting('app.token', true) as token) given
        where pg_catalog.length(given.token) < 2000
            and given.token ~ '^v1\.[a-z0-9_-]{{1,32}}(\.([0-9a-f]{{2}})+){{3}}(\.[0-9]{{1,11}}){{2}}\.[0-9a-f]{{64}}$'
    ) t
    join {table} k
        on k.key_id = t.part[2]
        and pg_catalog.statement_timestamp() >= k.not_before
        and pg_catalog.statement_timestamp() < k.not_after
    cross join lateral (
        select case
            when not {signed} then null
            when not {audience} then null
            when not {unexpired} then null
            else pg_catalog.convert_from(pg_catalog.decode(t.part[3], 'hex'), 'UTF8')
        end as identity
    ) proved
    where {valid}
$function$;
