-- onlooker_gone: owns nothing, so nothing depends on it
-- needs: PostgreSQL 13   placeholders: role
drop role {role};
