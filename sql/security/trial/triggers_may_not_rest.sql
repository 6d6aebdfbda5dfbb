-- triggers_may_not_rest: the deployer is again without the right
-- needs: PostgreSQL 15   placeholders: deployer
revoke set on parameter session_replication_role from {deployer};
