-- the loader owns the scratch database; the creators' group may create in the schemas that scripts make,
-- so that ALTER … OWNER TO its members works
-- parameters: {loader} {group} {password} {mark}
create role {group} nologin;
comment on role {group} is {mark};
create role {loader} login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls password {password};
comment on role {loader} is {mark};
alter role {loader} set lc_messages = 'C';
