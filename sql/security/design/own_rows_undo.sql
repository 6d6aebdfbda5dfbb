-- own_rows_undo: drops the view
-- needs: PostgreSQL 13   placeholders: view
drop view if exists {view};
