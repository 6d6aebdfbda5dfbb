-- superuser: gets a password before the rule that lets it in without one goes
-- needs: PostgreSQL 13   placeholders: role, verifier
alter role {role} password {verifier};
