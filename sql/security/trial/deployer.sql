-- deployer: the login that owns the database and all that is restored into it; it is no superuser
-- needs: PostgreSQL 13   placeholders: deployer, database
create role {deployer} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter database {database} owner to {deployer};
