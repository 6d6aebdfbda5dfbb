create role {outsider} login;
create schema {outsider} authorization {outsider};
create function {outsider}.probe() returns boolean language plpgsql volatile as $probe$
begin
  raise notice '{mark} %', current_user;
  return true;
end
$probe$;
grant execute on function {outsider}.probe() to public;
grant usage on schema {outsider} to public;
