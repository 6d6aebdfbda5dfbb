-- parameters: {role} {mark}
create role {role} nologin inherit;
comment on role {role} is {mark};
