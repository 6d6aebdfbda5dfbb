-- The eight tables of TPC-H (specification 3, section 1.4), in the order in which they are filled.
create table region (
    r_regionkey integer not null,
    r_name character(25) not null,
    r_comment character varying(152)
);

create table nation (
    n_nationkey integer not null,
    n_name character(25) not null,
    n_regionkey integer not null,
    n_comment character varying(152)
);

create table supplier (
    s_suppkey integer not null,
    s_name character(25) not null,
    s_address character varying(40) not null,
    s_nationkey integer not null,
    s_phone character(15) not null,
    s_acctbal numeric(15, 2) not null,
    s_comment character varying(101) not null
);

create table customer (
    c_custkey integer not null,
    c_name character varying(25) not null,
    c_address character varying(40) not null,
    c_nationkey integer not null,
    c_phone character(15) not null,
    c_acctbal numeric(15, 2) not null,
    c_mktsegment character(10) not null,
    c_comment character varying(117) not null
);

create table part (
    p_partkey integer not null,
    p_name character varying(55) not null,
    p_mfgr character(25) not null,
    p_brand character(10) not null,
    p_type character varying(25) not null,
    p_size integer not null,
    p_container character(10) not null,
    p_retailprice numeric(15, 2) not null,
    p_comment character varying(23) not null
);

create table partsupp (
    ps_partkey integer not null,
    ps_suppkey integer not null,
    ps_availqty integer not null,
    ps_supplycost numeric(15, 2) not null,
    ps_comment character varying(199) not null
);

create table orders (
    o_orderkey integer not null,
    o_custkey integer not null,
    o_orderstatus character(1) not null,
    o_totalprice numeric(15, 2) not null,
    o_orderdate date not null,
    o_orderpriority character(15) not null,
    o_clerk character(15) not null,
    o_shippriority integer not null,
    o_comment character varying(79) not null
);

create table lineitem (
    l_orderkey integer not null,
    l_partkey integer not null,
    l_suppkey integer not null,
    l_linenumber integer not null,
    l_quantity numeric(15, 2) not null,
    l_extendedprice numeric(15, 2) not null,
    l_discount numeric(15, 2) not null,
    l_tax numeric(15, 2) not null,
    l_returnflag character(1) not null,
    l_linestatus character(1) not null,
    l_shipdate date not null,
    l_commitdate date not null,
    l_receiptdate date not null,
    l_shipinstruct character(25) not null,
    l_shipmode character(10) not null,
    l_comment character varying(44) not null
);
