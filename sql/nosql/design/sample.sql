-- sample: rows from all over a table, each as the texts of its columns
-- composed by workbench.documents.design.statistics
(
  select {number} as number, array[{texts}]::text[] as texts
  from (
    select *
    from (
      select
        s.*,
        pg_catalog.row_number() over () as "workbench:row",
        pg_catalog.count(*) over () as "workbench:rows"
      from {source} as s
    ) as numbered
    where "workbench:row" % greatest("workbench:rows" / {rows}, 1) = 0
    limit {rows}
  ) as t
)
