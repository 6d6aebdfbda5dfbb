-- valid_literals: a function of this session alone that says which of some literals a type takes, as the type prints them
-- needs: PostgreSQL 13
create function pg_temp.workbench_valid_literals(type_name text, literals text[])
returns text[]
language plpgsql
as $$
declare
  literal text;
  printed text;
  valid text[] := '{}';
begin
  foreach literal in array literals loop
    begin
      execute 'select ($1)::' || type_name || '::text' into printed using literal;
      if printed is not null and not printed = any(valid) then
        valid := valid || printed;
      end if;
    exception when others then
      null; -- the type refuses it, which is what was asked
    end;
  end loop;
  return valid;
end
$$;
