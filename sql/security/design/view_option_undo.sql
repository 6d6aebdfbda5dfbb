-- view_option_undo: one option of a view is not said any more
-- needs: PostgreSQL 15   placeholders: view, option
alter view {view} reset ({option});
