"""The generator of the e-commerce example: the same data for the same seed, and true to every rule."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2 import sql

from workbench import example
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput


@pytest.fixture(scope="module")
def empty_shop(server: Server) -> Iterator[str]:
    """The product's schema, without rows of its own."""
    with server.scratch_database(label="shop") as name:
        with server.session(name) as conn:
            example.apply_schema(conn)
        yield name


@pytest.fixture(scope="module")
def generated(server: Server, empty_shop: str) -> Iterator[tuple[Connection, example.GeneratedData]]:
    """A shop at scale 0.02, and what the generator says of it."""
    with (
        server.scratch_database(template=empty_shop, label="generated") as name,
        server.session(name) as conn,
    ):
        data = example.generate(conn, scale=0.02, seed=7)
        yield conn, data


@pytest.fixture(scope="module")
def shop(generated: tuple[Connection, example.GeneratedData]) -> Connection:
    return generated[0]


@pytest.fixture
def fresh_shop(server: Server, empty_shop: str) -> Iterator[Connection]:
    with server.scratch_database(template=empty_shop, label="fresh") as name, server.session(name) as conn:
        yield conn


def value(conn: Connection, query: str | sql.Composable, parameters: Any = None) -> Any:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def column(conn: Connection, query: str | sql.Composable, parameters: Any = None) -> list[Any]:
    return [row[0] for row in conn.execute(query, parameters).fetchall()]


def tables(conn: Connection) -> list[str]:
    return column(
        conn,
        """select relname::text from pg_class
        where relnamespace = 'shop'::regnamespace and relkind = 'r' and relname <> 'schema_migrations'
        order by 1""",
    )


def contents(conn: Connection) -> dict[str, str]:
    """For each table a digest of all its rows, apart from when the reference data was put in."""
    conn.execute("set timezone = 'UTC'")
    reference = {"countries", "currencies"}
    digest = """select md5(string_agg((to_jsonb(t.*) - %s::text[])::text, ' ' order by to_jsonb(t.*)::text))
        from {} t"""
    return {
        table: value(
            conn,
            sql.SQL(digest).format(sql.Identifier("shop", table)),
            [["created_at", "updated_at"] if table in reference else []],
        )
        for table in tables(conn)
    }


def test_the_same_seed_gives_the_same_rows(server: Server, empty_shop: str) -> None:
    """Databases of one scale and seed are equal in every value, whatever the session's time zone."""
    found = []
    for seed in (3, 3, 4):
        with server.scratch_database(template=empty_shop) as name, server.session(name) as conn:
            conn.execute("set timezone = %s", [["Asia/Tokyo", "America/New_York", "UTC"][len(found)]])
            example.generate(conn, scale=0.002, seed=seed)
            found.append(contents(conn))

    assert found[0] == found[1]
    differing = {table for table in found[0] if found[0][table] != found[2][table]}
    assert differing == set(found[0]) - {
        "countries", "currencies", "order_status_transitions", "payment_status_transitions",
    }  # fmt: skip


def test_the_scale_is_that_of_the_order_items(generated: tuple[Connection, example.GeneratedData]) -> None:
    """Scale 0.02 is about 20,000 order items, and the rows that are reported are there."""
    conn, data = generated

    assert 18_000 < data.order_items < 24_000
    assert data.rows == {
        table: value(conn, sql.SQL("select count(*) from {}").format(sql.Identifier("shop", table)))
        for table in tables(conn)
    }
    assert (data.scale, data.seed) == (0.02, 7)
    assert data.elapsed_s > 0


def test_orders_equal_their_lines(shop: Connection) -> None:
    """Subtotal, tax and total of every order are the sums of its lines, in one currency."""
    wrong = """
        select count(*)
        from shop.orders o
        left join (
            select order_id, sum(total_amount) as total, sum(tax_amount) as tax,
                count(distinct currency_code) as currencies
            from shop.order_items group by order_id
        ) l using (order_id)
        where (o.subtotal + o.tax_amount, o.tax_amount, 1) is distinct from (l.total, l.tax, l.currencies)
            or o.total_amount <> l.total + o.shipping_amount - o.discount_amount"""

    assert value(shop, wrong) == 0


def test_lines_are_numbered_without_gaps(shop: Connection) -> None:
    """The lines of each order are 1, 2, 3 … and none has a product twice."""
    wrong = """
        select count(*) from (
            select max(line_number) <> count(*) or count(distinct product_id) <> count(*) as wrong
            from shop.order_items group by order_id) x
        where wrong"""

    assert value(shop, wrong) == 0


def test_few_products_and_users_make_most_of_the_sales(shop: Connection) -> None:
    """A tenth of the products gets over 40 % of the lines, a tenth of the users over 25 % of the orders."""
    share = """
        select sum(n) filter (where place <= (select count(*) / 10 from {of})) / sum(n)
        from (
            select count(*) as n, row_number() over (order by count(*) desc) as place
            from {of_rows} group by {key}
        ) x"""

    def top_tenth(of: str, of_rows: str, key: str) -> float:
        query = sql.SQL(share).format(
            of=sql.Identifier("shop", of), of_rows=sql.Identifier("shop", of_rows), key=sql.Identifier(key)
        )
        return float(value(shop, query))

    assert 0.4 < top_tenth("products", "order_items", "product_id") < 0.8
    assert 0.25 < top_tenth("users", "orders", "user_id") < 0.6


def test_histories_are_legal_and_end_where_the_order_is(shop: Connection) -> None:
    """Each history starts at pending/pending, changes by the transitions, and ends where the order is."""
    illegal = """
        select count(*)
        from shop.order_status_history h
        left join shop.order_status_history p
            on p.order_id = h.order_id and p.change_number = h.change_number - 1
        where (h.change_number = 1 and (h.to_status, h.to_payment_status) <> ('pending', 'pending'))
            or (h.from_status, h.from_payment_status) is distinct from (p.to_status, p.to_payment_status)
            or h.changed_at < p.changed_at
            or (h.from_status <> h.to_status and not exists (
                select from shop.order_status_transitions t
                where (t.from_status, t.to_status) = (h.from_status, h.to_status)))
            or (h.from_payment_status <> h.to_payment_status and not exists (
                select from shop.payment_status_transitions t
                where (t.from_status, t.to_status) = (h.from_payment_status, h.to_payment_status)))"""
    ends_elsewhere = """
        select count(*)
        from shop.orders o
        left join (
            select order_id, min(changed_at) as first_at, max(changed_at) as last_at,
                (array_agg(to_status order by change_number desc))[1] as status,
                (array_agg(to_payment_status order by change_number desc))[1] as payment_status
            from shop.order_status_history group by order_id
        ) h using (order_id)
        where (o.status, o.payment_status, o.created_at, o.updated_at)
            is distinct from (h.status, h.payment_status, h.first_at, h.last_at)"""

    assert value(shop, illegal) == 0
    assert value(shop, ends_elsewhere) == 0
    assert set(column(shop, "select distinct status::text from shop.orders")) >= {
        "delivered",
        "returned",
        "cancelled",
    }


def test_stock_is_the_sum_of_its_ledger(shop: Connection) -> None:
    """Each balance of inventory is the sum of its movements."""
    wrong = """
        select count(*)
        from shop.inventory i
        left join (
            select product_id, warehouse_id, sum(quantity_delta) as available, sum(reserved_delta) as reserved
            from shop.stock_movements group by product_id, warehouse_id
        ) m using (product_id, warehouse_id)
        where (i.quantity_available, i.quantity_reserved) is distinct from (m.available, m.reserved)"""

    assert value(shop, wrong) == 0


def test_stock_was_never_below_zero_nor_reserved_beyond_itself(shop: Connection) -> None:
    """Not only the last balance: at no moment of the ledger was there less than nothing."""
    wrong = """
        select count(*)
        from (
            select sum(quantity_delta) over history as available, sum(reserved_delta) over history as reserved
            from shop.stock_movements
            window history as (partition by product_id, warehouse_id order by moved_at, movement_id)
        ) x
        where available < 0 or reserved < 0 or reserved > available"""

    assert value(shop, wrong) == 0
    assert value(shop, "select count(*) from shop.inventory where quantity_reserved > 0") > 0


def test_the_ledger_is_that_of_the_lines(shop: Connection) -> None:
    """What was shipped of a line is its quantity if the order was shipped; digital products never are."""
    wrong = """
        select count(*)
        from shop.order_items i
        join shop.products p using (product_id)
        left join (
            select order_id, line_number, -sum(quantity_delta) as shipped
            from shop.stock_movements where movement_type = 'shipment' group by order_id, line_number
        ) m using (order_id, line_number)
        where coalesce(m.shipped, 0) <> case
            when not p.is_digital and i.status in ('shipped', 'delivered', 'returned') then i.quantity
            else 0 end"""

    assert value(shop, wrong) == 0


def test_amounts_have_the_decimals_of_their_currency(shop: Connection) -> None:
    """Yen come whole, dinars with three decimals at most, and all currencies of the markets are sold in."""
    decimals = (
        "select currency_code::text, max(min_scale(total_amount)) from shop.orders group by 1 order by 1"
    )

    assert shop.execute(decimals).fetchall() == [("EUR", 2), ("GBP", 2), ("JPY", 0), ("KWD", 3), ("USD", 2)]


def test_orders_carry_copies_of_their_addresses(shop: Connection) -> None:
    """Each address that an order names was copied when it was placed."""
    wrong = """
        select count(*)
        from shop.orders o
        cross join lateral (
            values ('billing', billing_address_id), ('shipping', shipping_address_id)) n (role, id)
        left join shop.order_addresses c on c.order_id = o.order_id and c.address_role = n.role
        left join shop.addresses a on a.address_id = n.id
        where (c.city, c.country_code, c.street_address_1)
                is distinct from (a.city, a.country_code, a.street_address_1)
            or c.created_at <> o.created_at"""

    assert value(shop, wrong) == 0


def test_nothing_is_left_out_of_force(shop: Connection) -> None:
    """After the load every constraint is enforced and validated, every trigger on, and every index there."""
    assert value(shop, "select count(*) from pg_constraint where not (convalidated and conenforced)") == 0
    assert value(shop, "select count(*) from pg_trigger where tgenabled = 'D'") == 0
    assert (
        value(shop, "select count(*) from pg_index where not (indisvalid and indisready and indislive)") == 0
    )


def test_what_was_paused_is_as_before(server: Server, empty_shop: str, shop: Connection) -> None:
    """The load takes indexes and foreign keys out of force and puts the very same back."""
    definitions = """
        select pg_get_indexdef(indexrelid) from pg_index i join pg_class c on c.oid = i.indrelid
        where c.relnamespace = 'shop'::regnamespace
        union all
        select conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'shop'::regnamespace
        union all
        select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
        order by 1"""
    with server.session(empty_shop) as conn:
        assert column(shop, definitions) == column(conn, definitions)


def test_the_load_is_no_change(shop: Connection) -> None:
    """The audit trail is empty after a load, and works after it."""
    assert value(shop, "select count(*) from audit.log") == 0
    shop.execute("begin")
    shop.execute("update shop.products set is_active = not is_active")
    assert value(shop, "select count(*) from audit.log") == value(shop, "select count(*) from shop.products")
    shop.execute("rollback")


def test_statistics_are_there(shop: Connection) -> None:
    """Every table was analysed, and index-only scans find its pages all visible."""
    assert (
        column(
            shop,
            """select relname from pg_class
            where relnamespace = 'shop'::regnamespace and relkind = 'r' and reltuples < 0""",
        )
        == []
    )
    assert value(shop, "select relallvisible = relpages from pg_class where oid = 'shop.orders'::regclass")


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), 100.5])
def test_an_impossible_scale_is_refused(fresh_shop: Connection, scale: float) -> None:
    """A scale is above 0 and at most 100."""
    with pytest.raises(BadInput, match=r"scale .* is not above 0 and at most 100"):
        example.generate(fresh_shop, scale=scale)


@pytest.mark.parametrize("seed", [-1, 2**31])
def test_an_impossible_seed_is_refused(fresh_shop: Connection, seed: int) -> None:
    """A seed fits a PostgreSQL integer and is not negative."""
    with pytest.raises(BadInput, match=r"seed .* is not between 0 and 2147483647"):
        example.generate(fresh_shop, seed=seed)


def test_a_filled_shop_is_refused(shop: Connection) -> None:
    """Rows that are there stay as they are."""
    before = value(shop, "select count(*) from shop.users")

    with pytest.raises(BadInput, match="already has rows"):
        example.generate(shop, scale=0.001)

    assert value(shop, "select count(*) from shop.users") == before


def test_a_database_without_the_schema_is_refused(pg: Connection) -> None:
    """The schema comes first."""
    with pytest.raises(BadInput, match="apply the schema first"):
        example.generate(pg)


def test_the_smallest_scale_still_makes_a_shop(fresh_shop: Connection) -> None:
    """Below a minimum the number of users, products and orders does not fall."""
    data = example.generate(fresh_shop, scale=1e-9)

    assert (data.rows["users"], data.rows["products"], data.rows["orders"]) == (50, 200, 100)


def test_the_load_needs_no_superuser(server: Server, empty_shop: str) -> None:
    """A role that owns its database and may take on audit_owner applies the schema and fills it."""
    name = f"wb_plain_owner_{os.getpid()}"
    role = sql.Identifier(name)
    with server.session(empty_shop) as admin:
        admin.execute(sql.SQL("create role {} login").format(role))
        admin.execute(sql.SQL("grant audit_owner to {}").format(role))
        try:
            with server.scratch_database(owner=name) as database, server.session(database, user=name) as conn:
                assert not value(conn, "select rolsuper from pg_roles where rolname = current_user")
                example.apply_schema(conn)
                assert example.generate(conn, scale=0.001).order_items > 500
        finally:
            admin.execute(sql.SQL("drop role {}").format(role))


def test_the_digest_names_the_files(server: Server) -> None:
    """The digest, which names a template database, is stable within one state of the files."""
    assert example.digest() == example.digest()
    assert len(example.digest()) == 64
