-- a partitioned table that its owner makes later, with row security on the parent alone

-- statement: parent
create table {schema}.wb_parent (
    tenant text not null
) partition by list (tenant);

-- statement: secure
alter table {schema}.wb_parent enable row level security, force row level security;

-- statement: leaf
create table {schema}.wb_leaf
partition of {schema}.wb_parent default;

-- statement: fill
insert into {schema}.wb_leaf (tenant)
values (%(b)s);

-- statement: read_leaf
select count(*)
from {schema}.wb_leaf t;
