-- audit_log: the trail as a table among the tables, the owner's, with the text of each statement
-- needs: PostgreSQL 13   placeholders: log
create table {log} (
    audit_id uuid primary key default pg_catalog.gen_random_uuid(),
    table_name text not null,
    action text not null check (action in ('INSERT', 'UPDATE', 'DELETE')),
    user_id text,
    record_id text not null,
    old_data jsonb,
    new_data jsonb,
    changed_fields jsonb,
    query_text text,
    ip_address inet,
    created_at timestamptz not null default now()
);
