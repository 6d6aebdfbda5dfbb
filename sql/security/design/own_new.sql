-- own_new: the parent of a new row is one of the identity's; looked up by its key, a row at a time
-- needs: PostgreSQL 13   placeholders: view, pairs
exists (select from {view} o where {pairs})
