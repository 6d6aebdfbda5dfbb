-- own_through_one: the row's parent is one of the identity's; the list is made once a statement and found by index
-- needs: PostgreSQL 13   placeholders: column, key, view
{column} = any (array(select o.{key} from {view} o))
