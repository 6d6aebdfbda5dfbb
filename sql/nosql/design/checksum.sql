-- checksum: the number of rows, and the sum of 56 bits of each row's SHA-256, which no order changes
-- composed by workbench.documents.design.rows; a null is written as one control character
select
  pg_catalog.count(*) as rows,
  coalesce(
    pg_catalog.sum(
      (
        'x' || pg_catalog.left(
          pg_catalog.encode(
            pg_catalog.sha256(
              pg_catalog.convert_to(
                pg_catalog.array_to_string(array[{texts}]::text[], E'\x1f', E'\x1e'), 'UTF8'
              )
            ),
            'hex'
          ),
          14
        )
      )::bit(56)::bigint
    ),
    0
  )::text as checksum
from ({rows}) as r
