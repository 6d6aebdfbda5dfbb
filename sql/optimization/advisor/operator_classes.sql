-- operator_classes: which operators the index methods other than B-trees can search by, for which type
select
    m.amname as method,
    cn.nspname as class_schema,
    c.opcname as class_name,
    c.opcdefault as is_default,
    pg_catalog.format_type(c.opcintype, null) as type_name,
    o.oprname as operator_name
from pg_catalog.pg_opclass c
join pg_catalog.pg_am m on m.oid = c.opcmethod and m.amname in ('gin', 'gist', 'spgist')
join pg_catalog.pg_namespace cn on cn.oid = c.opcnamespace
join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoppurpose = 's'
join pg_catalog.pg_operator o on o.oid = p.amopopr
where p.amoplefttype = c.opcintype or p.amoplefttype in ('anyarray'::regtype, 'anyrange'::regtype)
group by m.amname, cn.nspname, c.opcname, c.opcdefault, c.opcintype, o.oprname
order by m.amname, cn.nspname, c.opcname, type_name, o.oprname;
