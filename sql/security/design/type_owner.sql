-- type_owner: whose a type is
-- needs: PostgreSQL 13   placeholders: type, owner
alter type {type} owner to {owner};
