-- samples: a row of each kind of a table, as text, and how many there are of each
-- needs: PostgreSQL 13   placeholders: table, whose, conditions, held, preferred
-- A kind is whose the row is and which of the intent's conditions it meets.
select distinct on (k.whose, k.meets)
    k.whose,
    k.meets,
    pg_catalog.count(*) over (partition by k.whose, k.meets) as rows,
    k.held
from (
    select
        {whose} as whose,
        array[{conditions}]::boolean[] as meets,
        array[{held}]::text[] as held,
        {preferred} as preferred
    from {table} as t
) k
order by k.whose, k.meets, k.preferred desc nulls last, k.held;
