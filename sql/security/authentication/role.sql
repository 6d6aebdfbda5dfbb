-- role: a login whose password is a SCRAM verifier, computed by the client: the server never sees the password
-- needs: PostgreSQL 13   placeholders: role, verifier, connections, until
create role {role} login connection limit {connections} password {verifier} valid until {until};
