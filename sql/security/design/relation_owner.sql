-- relation_owner: whose a table, view or sequence is
-- needs: PostgreSQL 13   placeholders: relation, owner
alter table {relation} owner to {owner};
