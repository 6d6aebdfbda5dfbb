-- shadow_function: a function that is taken for one of its name, and tells as whom it is called
-- needs: PostgreSQL 13   placeholders: place, name, form, result, outsider, nothing
create function {place}{name}({form})
returns {result}
language plpgsql
as $shadow$
begin
  perform {outsider}.probe();
  return{nothing};
end
$shadow$;
grant execute on function {place}{name} to public;
