-- seal_hash: an expression on the seal s, whose months are listed as text
pg_catalog.sha256(
    pg_catalog.convert_to(
        row(
            s.seal_id, extract(epoch from s.sealed_at), s.from_transaction, s.to_transaction, s.total_entries,
            pg_catalog.encode(s.previous_hash, 'hex'), s.months
        )::text,
        'UTF8'
    )
)
