-- deployer_may_create_roles: given once the copy stands, so that nothing of a script could use it on the way
-- needs: PostgreSQL 13   placeholders: deployer
alter role {deployer} createrole;
