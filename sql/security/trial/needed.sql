-- needed: the roles that objects of the database name, and its extensions with their schemas
-- needs: PostgreSQL 13
-- near miss: superusers, the server's own roles and the role that loaded the script, which nothing is made for
select
    coalesce(
        (
            select pg_catalog.array_agg(r.rolname::text order by r.rolname)
            from pg_catalog.pg_roles r
            where r.rolname !~ '^(pg_|wb_script_|wb_deployer$)'
                and not r.rolsuper
                and exists (
                    select
                    from pg_catalog.pg_shdepend s
                    where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
                        and s.refobjid = r.oid
                        and s.dbid = (
                            select d.oid
                            from pg_catalog.pg_database d
                            where d.datname = pg_catalog.current_database()
                        )
                )
        ),
        '{}'
    ) as roles,
    coalesce(
        (
            select pg_catalog.jsonb_agg(
                pg_catalog.jsonb_build_object('name', e.extname, 'schema', n.nspname)
                order by e.extname
            )
            from pg_catalog.pg_extension e
            join pg_catalog.pg_namespace n
              on n.oid = e.extnamespace
            where e.extname <> 'plpgsql'
        ),
        '[]'
    ) as extensions;
