-- parameters: {database} {loader} {group}
revoke connect on database {database} from public;
grant create on database {database} to {group};
grant usage, create on schema public to {group};
alter default privileges for role {loader} grant usage, create on schemas to {group};
