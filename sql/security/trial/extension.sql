-- extension: one that only a superuser may create, before anything of the source is there
-- needs: PostgreSQL 13   placeholders: extension, schema, deployer
create schema if not exists {schema} authorization {deployer};
create extension if not exists {extension} schema {schema} cascade;
