-- default_grant: what a creator's new objects give
-- needs: PostgreSQL 13   placeholders: creator, place, privileges, objects, grantee, option
alter default privileges for role {creator}{place} grant {privileges} on {objects} to {grantee}{option};
