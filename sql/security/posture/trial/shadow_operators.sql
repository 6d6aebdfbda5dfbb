-- shadow_operators: operators of the usual types that are taken for the server's own, and tell as whom they run
-- needs: PostgreSQL 13   placeholders: schema
do $shadow$
declare
  operator record;
begin
  for operator in
    select
      o.oid,
      o.oprname,
      pg_catalog.format_type(o.oprleft, null) as argument,
      pg_catalog.format_type(o.oprresult, null) as result
    from pg_catalog.pg_operator o
    where o.oprname in ('=', '<>', '<', '>', '<=', '>=', '||', '+', '-')
      and o.oprleft = o.oprright
      and o.oprleft in (
        'pg_catalog.int4'::pg_catalog.regtype, 'pg_catalog.int8'::pg_catalog.regtype,
        'pg_catalog.text'::pg_catalog.regtype, 'pg_catalog.uuid'::pg_catalog.regtype,
        'pg_catalog.numeric'::pg_catalog.regtype, 'pg_catalog.date'::pg_catalog.regtype,
        'pg_catalog.bool'::pg_catalog.regtype, 'pg_catalog.timestamptz'::pg_catalog.regtype
      )
    order by o.oid
  loop
    execute pg_catalog.format(
      'create function %I.%I(%s, %s) returns %s language plpgsql as %L',
      {schema}, 'operator_' || operator.oid, operator.argument, operator.argument, operator.result,
      pg_catalog.format('begin perform %I.probe(); return null; end', {schema})
    );
    execute pg_catalog.format(
      'create operator %I.%s (function = %I.%I, leftarg = %s, rightarg = %s)',
      {schema}, operator.oprname, {schema}, 'operator_' || operator.oid, operator.argument, operator.argument
    );
  end loop;
end
$shadow$
