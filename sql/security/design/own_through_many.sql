-- own_through_many: the row's parent, named by several columns, is one of the identity's
-- needs: PostgreSQL 13   placeholders: columns, keys, view
({columns}) in (select {keys} from {view} o)
