-- role_in_clear: what not to do: the statement goes to the log, and to whoever reads the server's activity
-- needs: PostgreSQL 13   placeholders: role, password
create role {role} login password {password};
