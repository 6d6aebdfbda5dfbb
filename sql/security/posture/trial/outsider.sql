-- outsider: a role without any right, with a schema of its own and a probe that tells as whom it is run
-- needs: PostgreSQL 13   placeholders: outsider, mark
create role {outsider} login;
create schema {outsider} authorization {outsider};
create function {outsider}.probe()
returns boolean
language plpgsql
volatile
as $probe$
begin
  raise notice '{mark} %', current_user;
  return true;
end
$probe$;
grant execute on function {outsider}.probe() to public;
grant usage on schema {outsider} to public;
