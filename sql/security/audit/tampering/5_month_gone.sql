-- month gone: the month of the entry is detached from the trail
do $body$
begin
    execute pg_catalog.format(
        'alter table %%s detach partition %%s',
        {log_name},
        (select l.tableoid::regclass from {audit}.log l where l.entry_id = {entry_id})
    );
end
$body$;
