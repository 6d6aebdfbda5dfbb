-- onlooker: sees what the deployer sees and row security hides from it, without being a superuser
-- needs: PostgreSQL 13   placeholders: role, deployer
create role {role} login bypassrls in role {deployer};
