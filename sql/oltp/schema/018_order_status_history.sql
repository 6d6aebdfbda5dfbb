-- order_status_history: every status that an order ever had, written by the trigger that checks the transitions
create table shop.order_status_history (
    order_id uuid not null,
    change_number integer not null,
    from_status shop.order_status,
    to_status shop.order_status not null,
    from_payment_status shop.payment_status,
    to_payment_status shop.payment_status not null,
    changed_at timestamptz not null default now(),
    changed_by text not null default session_user,
    constraint order_status_history_pkey primary key (order_id, change_number),
    constraint order_status_history_order_id_fkey
        foreign key (order_id) references shop.orders (order_id) on delete restrict,
    constraint order_status_history_first_check check (
        (change_number = 1) = (from_status is null)
        and (change_number = 1) = (from_payment_status is null)
    ),
    constraint order_status_history_change_number_check check (change_number > 0)
);

comment on table shop.order_status_history is
    'History of the status and the payment of each order; its last row is what the order says now.';
comment on column shop.order_status_history.order_id is 'The order.';
comment on column shop.order_status_history.change_number is 'From 1, which is the order being placed.';
comment on column shop.order_status_history.from_status is 'Status before; NULL in the first row.';
comment on column shop.order_status_history.to_status is 'Status after.';
comment on column shop.order_status_history.from_payment_status is 'Payment before; NULL in the first row.';
comment on column shop.order_status_history.to_payment_status is 'Payment after.';
comment on column shop.order_status_history.changed_at is 'When.';
comment on column shop.order_status_history.changed_by is 'The login role that made the change.';

create function shop.record_order_status()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'pending' or new.payment_status <> 'pending' then
            raise exception 'order % starts as %/%: a new order is pending/pending',
                new.order_number, new.status, new.payment_status
                using errcode = 'check_violation', schema = 'shop', table = 'orders', constraint = 'orders_status_insert';
        end if;
        insert into shop.order_status_history (order_id, change_number, to_status, to_payment_status, changed_at)
        values (new.order_id, 1, new.status, new.payment_status, new.created_at);
        return null;
    end if;
    if old.status <> new.status and not exists (
        select
        from shop.order_status_transitions t
        where t.from_status = old.status
            and t.to_status = new.status
    ) then
        raise exception 'order % cannot go from % to %', new.order_number, old.status, new.status
            using errcode = 'check_violation', schema = 'shop', table = 'orders', constraint = 'orders_status_update';
    end if;
    if old.payment_status <> new.payment_status and not exists (
        select
        from shop.payment_status_transitions t
        where t.from_status = old.payment_status
            and t.to_status = new.payment_status
    ) then
        raise exception 'payment of order % cannot go from % to %',
                new.order_number, old.payment_status, new.payment_status
            using errcode = 'check_violation', schema = 'shop', table = 'orders', constraint = 'orders_status_update';
    end if;
    insert into shop.order_status_history (
        order_id, change_number, from_status, to_status, from_payment_status, to_payment_status
    )
    select new.order_id, max(h.change_number) + 1, old.status, new.status, old.payment_status, new.payment_status
    from shop.order_status_history h
    where h.order_id = new.order_id;
    return null;
end
$$;

comment on function shop.record_order_status() is
    'Refuses a transition that the tables do not allow, and writes the history of those that they do.';

create function shop.check_order_item_status()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if not exists (
        select
        from shop.order_status_transitions t
        where t.from_status = old.status
            and t.to_status = new.status
    ) then
        raise exception 'line % of order % cannot go from % to %', new.line_number, new.order_id, old.status, new.status
            using
                errcode = 'check_violation', schema = 'shop', table = 'order_items',
                constraint = 'order_items_status_update';
    end if;
    return null;
end
$$;

comment on function shop.check_order_item_status() is
    'Refuses a transition of a line that order_status_transitions does not allow.';

create trigger orders_status_insert
after insert on shop.orders
for each row
execute function shop.record_order_status();

create trigger orders_status_update
after update on shop.orders
for each row
when (old.status <> new.status or old.payment_status <> new.payment_status)
execute function shop.record_order_status();

create trigger order_items_status_update
after update on shop.order_items
for each row
when (old.status <> new.status)
execute function shop.check_order_item_status();
