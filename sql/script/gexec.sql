-- gexec: run each value of each row of a query as a statement, row by row, as psql's \gexec does
-- the query and a dollar tag of its own are put in as text
do $gexec$
declare
  answer record;
  statement text;
begin
  for answer in
{query}
  loop
    for statement in
      select each.value
      from pg_catalog.json_each_text(pg_catalog.row_to_json(answer)) each
      where each.value is not null
    loop
      execute statement;
    end loop;
  end loop;
end
$gexec$;
