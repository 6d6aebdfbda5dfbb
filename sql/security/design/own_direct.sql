-- own_direct: the row holds the identity
-- needs: PostgreSQL 13   placeholders: column, identity
{column} = (select {identity}())
