-- grant: privileges on objects of one kind
-- needs: PostgreSQL 13   placeholders: privileges, kind, objects, grantees, option
grant {privileges} on {kind} {objects} to {grantees}{option};
