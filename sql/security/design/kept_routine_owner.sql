-- kept_routine_owner: a routine goes to a role that may not create in its schema but for this moment
-- needs: PostgreSQL 13   placeholders: routine, owner, schema
grant create on schema {schema} to {owner};
alter routine {routine} owner to {owner};
revoke create on schema {schema} from {owner};
