-- snapshot: everything that decides who may do what, one line an object, so that two states can be compared
-- needs: PostgreSQL 15
-- near miss: object identifiers, the order of an access list, statistics and rows, which say nothing of rights
with spaces as (
    select n.oid, n.nspname, n.nspowner, n.nspacl
    from pg_catalog.pg_namespace n
    where n.nspname !~ '^pg_(toast|temp)'
        and n.nspname not in ('pg_catalog', 'information_schema')
),
lines as (
    select
        'role ' || r.rolname as object,
        pg_catalog.concat_ws(
            ' ', r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin, r.rolreplication,
            r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil, r.rolconfig::text
        ) as state
    from pg_catalog.pg_roles r
    where r.rolname !~ '^pg_'
    union all
    select
        'member ' || m.member::pg_catalog.regrole || ' of ' || m.roleid::pg_catalog.regrole
            || ' by ' || m.grantor::pg_catalog.regrole,
        pg_catalog.to_jsonb(m)::text
    from (
        select k.member, k.roleid, k.grantor, k.admin_option, pg_catalog.to_jsonb(k) - 'oid' as options
        from pg_catalog.pg_auth_members k
    ) m
    union all
    select 'schema ' || s.nspname, s.nspowner::pg_catalog.regrole::text
    from spaces s
    union all
    select
        'relation ' || s.nspname || '.' || c.relname,
        pg_catalog.concat_ws(
            ' ', c.relkind, c.relowner::pg_catalog.regrole, c.relrowsecurity, c.relforcerowsecurity,
            c.reloptions::text, c.relreplident, pg_catalog.pg_get_expr(c.relpartbound, c.oid),
            case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end
        )
    from pg_catalog.pg_class c
    join spaces s
      on s.oid = c.relnamespace
    union all
    select
        'inheritance ' || s.nspname || '.' || c.relname,
        i.inhparent::pg_catalog.regclass::text || i.inhdetachpending
    from pg_catalog.pg_inherits i
    join pg_catalog.pg_class c
      on c.oid = i.inhrelid
    join spaces s
      on s.oid = c.relnamespace
    union all
    select
        'column ' || s.nspname || '.' || c.relname || '.' || a.attname,
        pg_catalog.concat_ws(
            ' ', pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
            pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        )
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c
      on c.oid = a.attrelid
    join spaces s
      on s.oid = c.relnamespace
    left join pg_catalog.pg_attrdef d
      on d.adrelid = a.attrelid
      and d.adnum = a.attnum
    where a.attnum > 0
        and not a.attisdropped
        and c.relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select
        'constraint ' || s.nspname || '.' || coalesce(k.conrelid::pg_catalog.regclass::text, '') || '.' || k.conname,
        pg_catalog.concat_ws(' ', pg_catalog.pg_get_constraintdef(k.oid), k.convalidated, k.conislocal)
    from pg_catalog.pg_constraint k
    join spaces s
      on s.oid = k.connamespace
    union all
    select
        'policy ' || p.polrelid::pg_catalog.regclass || '.' || p.polname,
        pg_catalog.concat_ws(
            ' ', p.polcmd, p.polpermissive,
            (
                select pg_catalog.string_agg(
                    case each.role when 0 then 'public' else each.role::pg_catalog.regrole::text end, ','
                    order by each.role::pg_catalog.regrole::text
                )
                from pg_catalog.unnest(p.polroles) as each (role)
            ),
            pg_catalog.pg_get_expr(p.polqual, p.polrelid), '|', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from pg_catalog.pg_policy p
    union all
    select
        'trigger ' || t.tgrelid::pg_catalog.regclass || '.' || t.tgname,
        pg_catalog.concat_ws(' ', t.tgenabled, pg_catalog.pg_get_triggerdef(t.oid))
    from pg_catalog.pg_trigger t
    where not t.tgisinternal
    union all
    select
        'rule ' || r.ev_class::pg_catalog.regclass || '.' || r.rulename,
        pg_catalog.concat_ws(' ', r.ev_enabled, pg_catalog.pg_get_ruledef(r.oid))
    from pg_catalog.pg_rewrite r
    where r.rulename <> '_RETURN'
        and r.oid >= 16384
    union all
    select
        'routine ' || p.oid::pg_catalog.regprocedure,
        pg_catalog.concat_ws(
            ' ', p.proowner::pg_catalog.regrole, p.prosecdef, p.proleakproof, p.provolatile, p.proconfig::text,
            p.prosrc, p.prosqlbody::text
        )
    from pg_catalog.pg_proc p
    join spaces s
      on s.oid = p.pronamespace
    union all
    select 'type ' || t.oid::pg_catalog.regtype, t.typowner::pg_catalog.regrole::text
    from pg_catalog.pg_type t
    join spaces s
      on s.oid = t.typnamespace
    union all
    select
        'event trigger ' || e.evtname,
        pg_catalog.concat_ws(' ', e.evtevent, e.evtenabled, e.evtfoid::pg_catalog.regprocedure, e.evttags::text)
    from pg_catalog.pg_event_trigger e
    union all
    select
        'privilege on ' || held.object || ' of ' || case held.grantee when 0 then 'public'
            else held.grantee::pg_catalog.regrole::text end || ' by ' || held.grantor::pg_catalog.regrole,
        pg_catalog.string_agg(held.privilege_type || case when held.is_grantable then '*' else '' end, ','
            order by held.privilege_type)
    from (
        select o.object, x.grantee, x.grantor, x.privilege_type, x.is_grantable
        from (
            select 'database' as object, d.datacl as acl, 'd'::"char" as kind, d.datdba as owner
            from pg_catalog.pg_database d
            where d.datname = pg_catalog.current_database()
            union all
            select 'schema ' || s.nspname, s.nspacl, 'n', s.nspowner
            from spaces s
            union all
            select
                s.nspname || '.' || c.relname, c.relacl, case c.relkind when 'S' then 's' else 'r' end::"char",
                c.relowner
            from pg_catalog.pg_class c
            join spaces s
              on s.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            union all
            select s.nspname || '.' || c.relname || '.' || a.attname, a.attacl, 'c', c.relowner
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_class c
              on c.oid = a.attrelid
            join spaces s
              on s.oid = c.relnamespace
            where a.attacl is not null
                and not a.attisdropped
            union all
            select p.oid::pg_catalog.regprocedure::text, p.proacl, 'f', p.proowner
            from pg_catalog.pg_proc p
            where p.proacl is not null
                or p.pronamespace in (select s.oid from spaces s)
            union all
            select 'type ' || t.oid::pg_catalog.regtype, t.typacl, 'T', t.typowner
            from pg_catalog.pg_type t
            join spaces s
              on s.oid = t.typnamespace
            where t.typelem = 0
                and t.typtype in ('d', 'e', 'c', 'r')
            union all
            select 'parameter ' || p.parname, p.paracl, 'p', 10
            from pg_catalog.pg_parameter_acl p
        ) o
        cross join lateral pg_catalog.aclexplode(coalesce(o.acl, pg_catalog.acldefault(o.kind, o.owner))) x
    ) held
    group by held.object, held.grantee, held.grantor
    union all
    select
        'default ' || pg_catalog.concat_ws(
            ' ', d.defaclrole::pg_catalog.regrole, s.nspname, d.defaclobjtype,
            case x.grantee when 0 then 'public' else x.grantee::pg_catalog.regrole::text end
        ),
        pg_catalog.string_agg(x.privilege_type || x.is_grantable, ',' order by x.privilege_type)
    from pg_catalog.pg_default_acl d
    left join spaces s
      on s.oid = d.defaclnamespace
    cross join lateral pg_catalog.aclexplode(d.defaclacl) x
    group by d.defaclrole, s.nspname, d.defaclobjtype, x.grantee
)
select l.object, l.state
from lines l
order by l.object, l.state;
