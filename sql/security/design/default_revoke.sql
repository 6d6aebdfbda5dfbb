-- default_revoke: what a creator's new objects no longer give; only the form without a schema takes from PUBLIC
-- needs: PostgreSQL 13   placeholders: creator, place, privileges, objects, grantee
alter default privileges for role {creator}{place} revoke {privileges} on {objects} from {grantee};
