-- current_identity_owner: the function runs as the role that reads the keys, and nobody calls it unasked
-- needs: PostgreSQL 13   placeholders: function, owner
alter function {function}() owner to {owner};
revoke all on function {function}() from public;
