-- current_identity_undo: drops the function
-- needs: PostgreSQL 13   placeholders: function
drop function if exists {function}();
