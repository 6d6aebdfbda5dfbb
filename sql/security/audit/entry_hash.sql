-- entry_hash: an expression on the entry l that no setting of a session changes
pg_catalog.sha256(
    pg_catalog.convert_to(
        row(
            l.entry_id, extract(epoch from l.recorded_at), l.transaction_id, l.relation_id, l.table_name,
            l.partition_name, l.action, l.record_key, l.old_values, l.redacted_columns, l.actor, l.actor_verified,
            l.login_role, l.acting_role, l.client_address, l.application_name, l.query_id
        )::text,
        'UTF8'
    )
)
