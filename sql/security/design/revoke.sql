-- revoke: privileges on objects of one kind
-- needs: PostgreSQL 13   placeholders: privileges, kind, objects, grantees
revoke {privileges} on {kind} {objects} from {grantees};
