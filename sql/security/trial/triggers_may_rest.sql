-- triggers_may_rest: for the time of filling tables
-- needs: PostgreSQL 15   placeholders: deployer
grant set on parameter session_replication_role to {deployer};
