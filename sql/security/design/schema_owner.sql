-- schema_owner: whose a schema is
-- needs: PostgreSQL 13   placeholders: schema, owner
alter schema {schema} owner to {owner};
