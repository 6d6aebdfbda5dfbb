-- order_status_transitions, payment_status_transitions: which status may follow which
create table shop.order_status_transitions (
    from_status shop.order_status not null,
    to_status shop.order_status not null,
    constraint order_status_transitions_pkey primary key (from_status, to_status),
    constraint order_status_transitions_change_check check (from_status <> to_status)
);

comment on table shop.order_status_transitions is
    'Legal changes of orders.status and order_items.status; whatever is not here is refused.';
comment on column shop.order_status_transitions.from_status is 'Status before.';
comment on column shop.order_status_transitions.to_status is 'Status after.';

insert into shop.order_status_transitions (from_status, to_status)
values
    ('pending', 'processing'),
    ('pending', 'cancelled'),
    ('processing', 'shipped'),
    ('processing', 'cancelled'),
    ('shipped', 'delivered'),
    ('shipped', 'returned'),
    ('delivered', 'returned');

create table shop.payment_status_transitions (
    from_status shop.payment_status not null,
    to_status shop.payment_status not null,
    constraint payment_status_transitions_pkey primary key (from_status, to_status),
    constraint payment_status_transitions_change_check check (from_status <> to_status)
);

comment on table shop.payment_status_transitions is
    'Legal changes of orders.payment_status; whatever is not here is refused.';
comment on column shop.payment_status_transitions.from_status is 'Status before.';
comment on column shop.payment_status_transitions.to_status is 'Status after.';

insert into shop.payment_status_transitions (from_status, to_status)
values
    ('pending', 'partial'),
    ('pending', 'paid'),
    ('pending', 'failed'),
    ('partial', 'paid'),
    ('partial', 'failed'),
    ('partial', 'refunded'),
    ('failed', 'pending'),
    ('failed', 'paid'),
    ('paid', 'refunded');
