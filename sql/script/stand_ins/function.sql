-- a function of an extension that is not here: it exists for views, defaults and indexes, and cannot be called
-- parameters: {function} {arguments} {result} {message}
create or replace function {function}({arguments})
returns {result} language plpgsql immutable
as $stand_in$
begin
  raise exception using errcode = 'WB001', message = {message};
end
$stand_in$;
