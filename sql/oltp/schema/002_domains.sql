-- domains: rules that more than one table repeats, written once
-- A domain lets NULL through on purpose: whether a value may be missing is said by each column.
comment on schema shop is 'The live tables of the shop. The audit trail is in the schema audit.';

create domain shop.money_amount as numeric
    constraint money_amount_range check (value >= 0 and value < 1000000000000000 and value <> 'NaN')
    constraint money_amount_scale check (min_scale(value) <= 4);

comment on domain shop.money_amount is
    'An amount of money, never negative, below 10^15 and with at most 4 decimals. More decimals are refused, '
    'not rounded; the currency of the row says how many of the four it may use.';

create domain shop.currency_code as text
    constraint currency_code_format check (value ~ '^[A-Z]{3}$');

comment on domain shop.currency_code is 'An ISO 4217 code of three capitals.';

create domain shop.country_code as text
    constraint country_code_format check (value ~ '^[A-Z]{2}$');

comment on domain shop.country_code is 'An ISO 3166-1 code of two capitals.';

create domain shop.order_status as text
    constraint order_status_known
        check (value in ('pending', 'processing', 'shipped', 'delivered', 'cancelled', 'returned'));

comment on domain shop.order_status is
    'How far the goods have come, for an order and for each of its lines. Whether the money came or went back '
    'is the payment status alone.';

create domain shop.payment_status as text
    constraint payment_status_known check (value in ('pending', 'partial', 'paid', 'failed', 'refunded'));

comment on domain shop.payment_status is
    'How far the money has come: partial means that a part of the total was paid.';

create domain shop.address_type as text
    constraint address_type_known check (value in ('billing', 'shipping', 'both'));

comment on domain shop.address_type is 'What an entry of the address book may be used for.';
