-- watch: puts a table and each of its partitions under audit, whatever was there of it before
create or replace procedure {audit}.watch(
    relation regclass,
    by_row boolean,
    redacted text[],
    omitted text[],
    truncation text
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    member record;
    event record;
    arguments text := format('%L, %L', redacted, omitted);
    key_columns text[];
begin
    for member in
        select c.oid::regclass as name, c.oid = relation as is_root, c.relkind = 'r' as has_rows,
            c.relnamespace::regnamespace as namespace
        from (
            select relation::oid
            union
            select t.relid::oid
            from pg_partition_tree(relation) t
        ) r (oid)
        join pg_class c on c.oid = r.oid
        where c.relkind in ('r', 'p')
        order by c.oid <> relation, c.oid::regclass::text collate "C"
    loop
        -- what another way of auditing left would log each row twice
        for event in
            select g.tgname as name
            from pg_trigger g
            join pg_proc p on p.oid = g.tgfoid
            where g.tgrelid = member.name
                and p.pronamespace = {audit_namespace}::regnamespace
                and g.tgparentid = 0
                and g.tgname <> all (
                    array['audit_truncate']
                    || case when by_row then array['audit_row']
                        else array['audit_insert', 'audit_update', 'audit_delete'] end
                    || case when truncation = 'rows' then array['audit_truncated_rows'] else array[]::text[] end
                )
            order by g.tgname
        loop
            execute format('drop trigger %I on %s', event.name, member.name);
        end loop;
        if by_row and member.is_root then
            -- the server gives each partition its copy
            key_columns := coalesce((select k.key_columns from {audit}.key_of(member.name) k), array[]::text[]);
            execute format(
                'create or replace trigger audit_row after insert or update or delete on %s '
                'for each row execute function {audit}.record_row(%s, %L)', member.name, arguments, key_columns
            );
            execute format('alter table %s enable always trigger audit_row', member.name);
        elsif not by_row then
            for event in
                select *
                from (
                    values
                        ('insert', 'referencing new table as new_rows'),
                        ('update', 'referencing old table as old_rows new table as new_rows'),
                        ('delete', 'referencing old table as old_rows')
                ) e (name, tables)
            loop
                execute format(
                    'create or replace trigger audit_%s after %s on %s %s '
                    'for each statement execute function {audit}.record_statement(%s)',
                    event.name, event.name, member.name, event.tables, arguments
                );
                execute format('alter table %s enable always trigger audit_%s', member.name, event.name);
            end loop;
        end if;
        if truncation = 'refused' then
            execute format(
                'create or replace trigger audit_truncate before truncate on %s '
                'for each statement execute function {audit}.refuse_change(%L)', member.name, 'it is under audit; delete its rows instead'
            );
        else
            execute format(
                'create or replace trigger audit_truncate after truncate on %s '
                'for each statement execute function {audit}.record_statement(%s%s)',
                member.name, arguments, case when truncation = 'rows' then ', ''{{"rows": "logged"}}''' else '' end
            );
        end if;
        execute format('alter table %s enable always trigger audit_truncate', member.name);
        if truncation = 'rows' and member.has_rows then
            -- the rows are read with the rights of the audit owner
            execute format('grant usage on schema %s to {owner}', member.namespace);
            execute format('grant select on %s to {owner}', member.name);
            if not exists (
                select
                from pg_policy p
                where p.polrelid = member.name
                    and p.polname = 'audit_reads'
            ) then
                execute format('create policy audit_reads on %s for select to {owner} using (true)', member.name);
            end if;
            execute format(
                'create or replace trigger audit_truncated_rows before truncate on %s '
                'for each statement execute function {audit}.record_truncated_rows(%s)', member.name, arguments
            );
            execute format('alter table %s enable always trigger audit_truncated_rows', member.name);
        end if;
        insert into {audit}.watched (relation_id, root_id, relation_name, by_row)
        values (member.name::oid, relation, member.name::text, by_row)
        on conflict (relation_id) do update
        set root_id = excluded.root_id, relation_name = excluded.relation_name, by_row = excluded.by_row;
    end loop;
end
$body$;

comment on procedure {audit}.watch(regclass, boolean, text[], text[], text) is
    'Puts a table under audit, its partitions too; may be called again. truncation: logged, rows or refused.';

-- unwatch: takes the triggers off again, and the right to read that truncation by rows needs; what was logged stays
create or replace procedure {audit}.unwatch(relation regclass)
language plpgsql
set search_path = pg_catalog, pg_temp
as $body$
declare
    found record;
begin
    for found in
        select g.tgname as name, g.tgrelid::regclass as on_table
        from pg_trigger g
        join pg_proc p on p.oid = g.tgfoid
        where p.pronamespace = {audit_namespace}::regnamespace
            and g.tgparentid = 0
            and not g.tgisinternal
            and g.tgrelid in (
                select relation::oid
                union
                select t.relid::oid
                from pg_partition_tree(relation) t
            )
        order by g.tgrelid::regclass::text collate "C", g.tgname
    loop
        execute format('drop trigger %I on %s', found.name, found.on_table);
    end loop;
    for found in
        select
            p.polrelid::regclass as on_table, c.relnamespace::regnamespace as namespace,
            not exists (
                select
                from {audit}.watched w
                join pg_class o on o.oid = w.relation_id
                where w.root_id <> relation
                    and o.relnamespace = c.relnamespace
            ) as is_last
        from pg_policy p
        join pg_class c on c.oid = p.polrelid
        where p.polname = 'audit_reads'
            and p.polrelid in (
                select relation::oid
                union
                select t.relid::oid
                from pg_partition_tree(relation) t
            )
        order by p.polrelid::regclass::text collate "C"
    loop
        execute format('drop policy audit_reads on %s', found.on_table);
        execute format('revoke select on %s from {owner}', found.on_table);
        if found.is_last then
            execute format('revoke usage on schema %s from {owner}', found.namespace);
        end if;
    end loop;
    delete from {audit}.watched w where w.root_id = relation;
end
$body$;

comment on procedure {audit}.unwatch(regclass) is 'Takes a table and its partitions off the audit.';

alter procedure {audit}.watch(regclass, boolean, text[], text[], text) owner to {owner};

alter procedure {audit}.unwatch(regclass) owner to {owner};
