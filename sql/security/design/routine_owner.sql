-- routine_owner: whose a function or procedure is
-- needs: PostgreSQL 13   placeholders: routine, owner
alter routine {routine} owner to {owner};
