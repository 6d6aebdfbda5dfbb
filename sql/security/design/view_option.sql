-- view_option: sets one option of a view
-- needs: PostgreSQL 15   placeholders: view, option, value
alter view {view} set ({option} = {value});
