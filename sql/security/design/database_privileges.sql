-- database_privileges: gives or takes privileges on this database, whatever its name is
-- needs: PostgreSQL 13   placeholders: statement, grantee
do $design$
begin
    execute pg_catalog.format({statement}, pg_catalog.current_database(), {grantee});
end
$design$;
