-- renamed: identities under another name, the old ones and the new ones in the same order
-- needs: PostgreSQL 13   placeholders: table, column, type   parameters: old text[], new text[]
update {table} as t
set {column} = (
    select n.new::{type}
    from pg_catalog.unnest(%(old)s::text[], %(new)s::text[]) as n (old, new)
    where n.old = t.{column}::text
)
where t.{column}::text = any(%(old)s::text[]);
