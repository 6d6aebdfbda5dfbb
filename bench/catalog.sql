-- catalog: 1,000 tables with 8,000 columns and 2,000 foreign keys, ten rows each
-- in batches, because one transaction could not hold the locks of all
do $$
declare
  child int;
  last_of_batch int;
begin
  for batch in 0..9 loop
    last_of_batch := (batch + 1) * 100;
    for child in batch * 100 + 1..last_of_batch loop
      execute format(
        $table$
          create table table_%1$s (
            id bigint generated always as identity primary key,
            parent_id bigint not null references table_%2$s,
            origin_id bigint references table_%3$s on delete set null,
            code text not null unique,
            status text not null default 'new' check (status in ('new', 'paid', 'sent')),
            amount numeric(12, 2) not null check (amount >= 0),
            details jsonb not null default '{}',
            created_at timestamptz not null default now()
          )
        $table$,
        child, greatest(child - 1, 1), greatest(child / 2, 1)
      );
      execute format('create index on table_%1$s (parent_id, created_at)', child);
      execute format('create index on table_%1$s (origin_id) where origin_id is not null', child);
      execute format('comment on table table_%1$s is %2$L', child, 'The table number ' || child);
      execute format(
        $rows$
          insert into table_%1$s (parent_id, origin_id, code, amount)
          select n, nullif(n, 10), 'code ' || n, n * 1.5
          from generate_series(1, 10) n
        $rows$,
        child
      );
    end loop;
    commit;
  end loop;
end
$$;
