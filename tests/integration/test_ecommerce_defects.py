"""Each defect D1 to D39 of the original e-commerce SQL: shown there, and put right in the product."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from pglast import parser
from psycopg2 import sql

from workbench import example
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput, ScriptFailed

SEED_FILE = Path(__file__).parents[1] / "data" / "seed_oltp.sql"


@pytest.fixture(scope="module")
def seed_database(server: Server) -> Iterator[str]:
    """The original SQL as it stands, with the extension that it forgets."""
    with server.scratch_database(label="seed") as name:
        with server.session(name) as conn:
            conn.execute("create extension ltree")
            conn.execute(SEED_FILE.read_text(encoding="utf-8"))
        yield name


@pytest.fixture(scope="module")
def shop_database(server: Server) -> Iterator[str]:
    """The product's schema, without rows of its own."""
    with server.scratch_database(label="shop") as name:
        with server.session(name) as conn:
            example.apply_schema(conn)
        yield name


@pytest.fixture(scope="module")
def filled_database(server: Server, shop_database: str) -> Iterator[str]:
    """The product's schema with generated rows."""
    with server.scratch_database(template=shop_database, label="filled") as name:
        with server.session(name) as conn:
            example.generate(conn, scale=0.01, seed=1)
        yield name


@contextlib.contextmanager
def rolled_back(server: Server, dbname: str) -> Iterator[Connection]:
    with contextlib.closing(server.connect(dbname, autocommit=False)) as conn:
        yield conn
        conn.rollback()


@pytest.fixture
def seed(server: Server, seed_database: str) -> Iterator[Connection]:
    """A transaction in the original schema, rolled back after the test."""
    with rolled_back(server, seed_database) as conn:
        yield conn


@pytest.fixture
def shop(server: Server, shop_database: str) -> Iterator[Connection]:
    """A transaction in the product's schema, rolled back after the test."""
    with rolled_back(server, shop_database) as conn:
        yield conn


@pytest.fixture
def filled(server: Server, filled_database: str) -> Iterator[Connection]:
    """A transaction in the product's schema with generated rows, rolled back after the test."""
    with rolled_back(server, filled_database) as conn:
        yield conn


def accepts(conn: Connection, statement: str | sql.Composable, parameters: Any = None) -> bool:
    """Whether *statement* runs, constraints at the end of the transaction included; it leaves nothing."""
    return refusal(conn, statement, parameters) is None


def refusal(
    conn: Connection, statement: str | sql.Composable, parameters: Any = None
) -> psycopg2.Error | None:
    """The error that *statement* ends in, now or at the end of the transaction; it leaves nothing."""
    conn.execute("savepoint attempt")
    try:
        conn.execute(statement, parameters)
        conn.execute("set constraints all immediate")
    except psycopg2.Error as exc:
        return exc
    finally:
        conn.execute("rollback to savepoint attempt")
        conn.execute("set constraints all deferred")
    return None


def refused_by(conn: Connection, statement: str | sql.Composable, parameters: Any = None) -> str | None:
    """The constraint (or else the column, or the SQLSTATE) that refuses *statement*; None where it runs."""
    error = refusal(conn, statement, parameters)
    if error is None:
        return None
    return error.diag.constraint_name or error.diag.column_name or error.diag.sqlstate


def value(conn: Connection, query: str | sql.Composable, parameters: Any = None) -> Any:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def column(conn: Connection, query: str, parameters: Any = None) -> list[Any]:
    return [row[0] for row in conn.execute(query, parameters).fetchall()]


def plan(conn: Connection, query: str, parameters: Any = None) -> str:
    return "\n".join(column(conn, "explain " + query, parameters))


def new_user(conn: Connection, name: str = "ada") -> str:
    return value(
        conn,
        "insert into users (email, username) values (%s, %s) returning user_id",
        [f"{name}@example.com", name],
    )


def seed_address(conn: Connection, user_id: str) -> str:
    return value(
        conn,
        """insert into addresses (user_id, address_type, street_address_1, city, country_code)
        values (%s, 'both', 'Main Street 1', 'Berlin', 'DE') returning address_id""",
        [user_id],
    )


shop_address = seed_address


def seed_product(conn: Connection, sku: str = "A-1") -> str:
    return value(
        conn,
        "insert into products (sku, product_name, base_price) values (%s, 'Kettle', 5) returning product_id",
        [sku],
    )


shop_product = seed_product


def inserted(conn: Connection, table: str, returning: str, values: dict[str, Any]) -> Any:
    """Insert one row and return its column *returning*."""
    statement = sql.SQL("insert into {} ({}) values ({}) returning {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
        sql.Identifier(returning),
    )
    return value(conn, statement, list(values.values()))


def seed_order(conn: Connection, user_id: str, **columns: Any) -> str:
    defaults = {"user_id": user_id, "subtotal": 10, "total_amount": 10, "order_number": "SO-1"}
    return inserted(conn, "orders", "order_id", defaults | columns)


def shop_order(conn: Connection, user_id: str, **columns: Any) -> str:
    return inserted(conn, "orders", "order_id", {"user_id": user_id, "order_number": "SO-1"} | columns)


def shop_line(conn: Connection, order_id: str, product_id: str, **columns: Any) -> None:
    defaults = {"order_id": order_id, "product_id": product_id, "line_number": 1}
    prices = {"quantity": 2, "unit_price": 5, "currency_code": "USD"}
    inserted(conn, "order_items", "line_number", defaults | prices | columns)


@pytest.fixture(autouse=True)
def unqualified_names(request: pytest.FixtureRequest) -> None:
    """Lets one probe name its tables the same way in both schemas."""
    for name in ("shop", "filled"):
        if name in request.fixturenames:
            request.getfixturevalue(name).execute("set search_path = shop, extensions")
    if "seed" in request.fixturenames:
        request.getfixturevalue("seed").execute("set search_path = public")


def test_d1_ltree_is_there_before_it_is_used(server: Server, database: str, shop: Connection) -> None:
    """The original uses ltree without creating it; the product has it in a schema of its own."""
    with server.session(database) as conn:
        failures = _failures(conn)
    assert len(failures) == 4
    assert failures[0].sqlstate == "42704"

    assert (
        value(shop, "select extnamespace::regnamespace::text from pg_extension where extname = 'ltree'")
        == "extensions"
    )
    assert (
        value(
            shop,
            """select format_type(atttypid, null) from pg_attribute
                where attrelid = 'categories'::regclass and attname = 'category_path'""",
        )
        == "ltree"
    )


def _failures(conn: Connection) -> list[Any]:
    failures = []
    for statement in parser.split(SEED_FILE.read_text(encoding="utf-8")):
        try:
            conn.execute(statement)
        except psycopg2.Error as exc:
            failures.append(exc.diag)
    return failures


def test_d2_a_second_run_changes_nothing(server: Server, seed_database: str, database: str) -> None:
    """The original fails on 31 of 32 statements the second time; the product applies nothing again."""
    with server.scratch_database(template=seed_database) as again, server.session(again) as conn:
        assert len(_failures(conn)) == 31
        assert len(parser.split(SEED_FILE.read_text(encoding="utf-8"))) == 32

    with server.session(database) as conn:
        applied = example.apply_schema(conn)
        assert applied == [migration.name for migration in example.migrations()]
        assert example.apply_schema(conn) == []
        assert column(conn, "select migration_name from shop.schema_migrations order by version") == applied


def test_d2_a_migration_that_fails_leaves_nothing(server: Server, database: str) -> None:
    """A migration that fails half-way leaves no half of it, and the next run goes on from there."""
    with server.session(database) as conn:
        conn.execute("create schema shop; create table shop.in_the_way (products_product_name_idx int)")
        conn.execute("create index products_product_name_idx on shop.in_the_way (products_product_name_idx)")

        with pytest.raises(ScriptFailed, match=r"010_products\.sql.*already exists"):
            example.apply_schema(conn)
        assert value(conn, "select max(version) from shop.schema_migrations") == 9
        assert value(conn, "select to_regclass('shop.products')") is None

        conn.execute("drop table shop.in_the_way")
        assert example.apply_schema(conn)[0] == "products"


def test_d2_an_edited_migration_is_found_out(server: Server, shop_database: str) -> None:
    """A migration whose file is not the one that was applied is refused."""
    with server.scratch_database(template=shop_database) as name, server.session(name) as conn:
        conn.execute("update shop.schema_migrations set checksum = repeat('0', 64) where version = 6")

        with pytest.raises(BadInput, match=r"migration 6 \(users\) was changed"):
            example.apply_schema(conn)


def test_d2_an_open_transaction_is_refused(shop: Connection) -> None:
    """Migrations have transactions of their own, so they do not run inside another."""
    shop.execute("select 1")

    with pytest.raises(BadInput, match="inside a transaction"):
        example.apply_schema(shop)


REDUNDANT_INDEXES = """
    select narrow.indexrelid::regclass::text
    from pg_index narrow
    join pg_index wide
        on wide.indrelid = narrow.indrelid
        and wide.indexrelid <> narrow.indexrelid
        and (wide.indkey::text || ' ') like (narrow.indkey::text || ' %%')
        and (wide.indclass::text || ' ') like (narrow.indclass::text || ' %%')
    join pg_class c on c.oid = narrow.indrelid
    join pg_class i on i.oid = narrow.indexrelid
    join pg_class w on w.oid = wide.indexrelid and w.relam = i.relam
    where c.relnamespace = any (%s::regnamespace[])
        and not narrow.indisunique
        and narrow.indpred is null and wide.indpred is null
        and narrow.indexprs is null and wide.indexprs is null
    order by 1"""


def test_d3_no_index_repeats_a_unique_constraint(seed: Connection, shop: Connection) -> None:
    """Four of the original's indexes double that of a UNIQUE constraint; the product has no such index."""
    assert column(seed, REDUNDANT_INDEXES, [["public"]]) == [
        "idx_orders_order_number", "idx_products_sku", "idx_users_email", "idx_users_username",
    ]  # fmt: skip

    assert column(shop, REDUNDANT_INDEXES, [["shop", "audit"]]) == []


def test_d4_mail_and_user_name_are_unique_whatever_their_case(seed: Connection, shop: Connection) -> None:
    """The original takes A@x.com beside a@X.com and Bob beside bob."""
    statement = "insert into users (email, username) values (%s, %s)"
    for conn in (seed, shop):
        conn.execute(statement, ["A@x.com", "bob"])
    assert accepts(seed, statement, ["a@X.com", "Bob"])

    assert refused_by(shop, statement, ["a@X.com", "other"]) == "users_email_key"
    assert refused_by(shop, statement, ["other@x.com", "Bob"]) == "users_username_key"
    assert accepts(shop, statement, ["other@x.com", "other"])
    shop.execute(statement, ["  Eve@X.com ", " Eve "])
    assert shop.execute("select email, username from users where username = 'Eve'").fetchall() == [
        ("eve@x.com", "Eve")
    ]


@pytest.mark.parametrize(
    ("email", "username", "constraint"),
    [
        ("not an email", "eve", "users_email_check"),
        ("", "eve", "users_email_check"),
        ("a@b", "eve", "users_email_check"),
        ("eve@example.com", "", "users_username_check"),
        ("eve@example.com", "   ", "users_username_check"),
    ],
)
def test_d5_mail_and_user_name_have_a_form(
    seed: Connection, shop: Connection, email: str, username: str, constraint: str
) -> None:
    """The original takes any text as a mail address and an empty user name."""
    statement = "insert into users (email, username) values (%s, %s)"
    assert accepts(seed, statement, [email, username])

    assert refused_by(shop, statement, [email, username]) == constraint
    assert accepts(shop, statement, ["o'brien+tag@müller.example", "花子"])


NULLABLE_DEFAULTS = """
    select c.relname || '.' || a.attname
    from pg_attrdef d
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    join pg_class c on c.oid = d.adrelid and not c.relispartition
    where c.relnamespace = any (%s::regnamespace[])
        and not a.attnotnull
        and a.attgenerated = ''
    order by 1"""


def test_d6_a_default_comes_with_not_null(seed: Connection, shop: Connection) -> None:
    """NULL is accepted in 24 columns of the original with a default; here in the client address alone."""
    assert len(column(seed, NULLABLE_DEFAULTS, [["public"]])) == 24
    statement = "insert into users (email, username, is_active) values ('a@b.example', 'a', null)"
    assert accepts(seed, statement)

    assert column(shop, NULLABLE_DEFAULTS, [["shop", "audit"]]) == ["log.client_address"]
    assert refused_by(shop, statement) == "is_active"


def test_d7_a_list_of_values_does_not_let_null_through(seed: Connection, shop: Connection) -> None:
    """CHECK (x in (…)) is not violated by NULL."""
    for conn in (seed, shop):
        new_user(conn)
    address = """insert into addresses (user_id, address_type, street_address_1, city, country_code)
        select user_id, null, 'Main Street 1', 'Berlin', 'DE' from users"""
    seed_payment = """insert into orders (user_id, order_number, subtotal, total_amount, payment_status)
        select user_id, 'SO-1', 0, 0, null from users"""
    shop_payment = (
        "insert into orders (user_id, order_number, payment_status) select user_id, 'SO-1', null from users"
    )
    assert accepts(seed, address)
    assert accepts(seed, seed_payment)

    assert refused_by(shop, address) == "address_type"
    assert refused_by(shop, shop_payment) == "payment_status"


def test_d8_nan_is_no_price(seed: Connection, shop: Connection) -> None:
    """NaN sorts above all numbers, so base_price >= 0 takes it."""
    statement = "insert into products (sku, product_name, base_price) values ('A-1', 'Kettle', %s)"
    assert accepts(seed, statement, [Decimal("NaN")])

    assert refused_by(shop, statement, [Decimal("NaN")]) == "money_amount_range"
    assert refused_by(shop, statement, [Decimal("Infinity")]) == "money_amount_range"
    assert accepts(shop, statement, [Decimal("0")])


def test_d9_no_amount_is_negative(seed: Connection, shop: Connection) -> None:
    """The original checks base_price alone: amounts of orders and lines may be below 0."""
    user, product = new_user(seed), seed_product(seed)
    order = seed_order(seed, user, subtotal=-1, tax_amount=-1, total_amount=-2)
    line = """insert into order_items
        (order_id, product_id, quantity, unit_price, discount_amount, total_amount) values
        (%s, %s, 1, -5, 999, -1)"""
    assert accepts(seed, line, [order, product])

    user, product = new_user(shop), shop_product(shop)
    for amount in ("subtotal", "tax_amount", "shipping_amount", "discount_amount"):
        statement = sql.SQL("insert into orders (user_id, order_number, {}) values (%s, 'SO-1', -1)")
        assert refused_by(shop, statement.format(sql.Identifier(amount)), [user]) == "money_amount_range"
    order = shop_order(shop, user)
    for amounts in ((-5, 0, 0), (5, -1, 0), (5, 0, -1)):
        statement = """insert into order_items
            (order_id, product_id, line_number, currency_code, quantity, unit_price, discount_amount,
            tax_amount)
            values (%s, %s, 1, 'USD', 1, %s, %s, %s)"""
        assert refused_by(shop, statement, [order, product, *amounts]) == "money_amount_range"
    assert refused_by(shop, statement, [order, product, 5, 6, 2]) == "order_items_discount_amount_check"


def test_d10_amounts_fit_their_currency(seed: Connection, shop: Connection) -> None:
    """The original overflows at 10^8 and rounds 1.005 to 1.01; two decimals are wrong for yen and dinar."""
    statement = """insert into products (sku, product_name, base_price, currency_code) values
        ('A-1', 'X', %s, %s) returning base_price"""
    error = refusal(seed, statement, [Decimal("100000000"), "USD"])
    assert error is not None and error.pgcode == "22003"
    assert value(seed, statement, [Decimal("1.005"), "KWD"]) == Decimal("1.01")

    assert accepts(shop, statement, [Decimal("100000000"), "USD"])
    assert accepts(shop, statement, [Decimal("1.005"), "KWD"])
    assert accepts(shop, statement, [Decimal("150"), "JPY"])
    assert refused_by(shop, statement, [Decimal("1.005"), "USD"]) == "products_currency_digits_insert"
    assert refused_by(shop, statement, [Decimal("150.5"), "JPY"]) == "products_currency_digits_insert"
    assert refused_by(shop, statement, [Decimal("1.000001"), "USD"]) == "money_amount_scale"
    user, product = new_user(shop), shop_product(shop)
    order = shop_order(shop, user)
    assert refused_by(shop, "update orders set shipping_amount = 1.001") == "orders_currency_digits_update"
    line = """insert into order_items (order_id, product_id, line_number, currency_code, quantity, unit_price)
        values (%s, %s, 1, 'USD', 1, 5.001)"""
    assert refused_by(shop, line, [order, product]) == "order_items_currency_digits_insert"


def test_d11_currencies_are_known_and_one_an_order(seed: Connection, shop: Connection) -> None:
    """The original takes 'zz ' and NULL, and orders in another currency than the product's."""
    statement = (
        "insert into products (sku, product_name, base_price, currency_code) values ('B-1', 'X', 1, %s)"
    )
    assert accepts(seed, statement, ["zz "])
    assert accepts(seed, statement, [None])
    order = seed_order(seed, new_user(seed), currency_code="EUR")
    line = """insert into order_items (order_id, product_id, quantity, unit_price, total_amount) values
        (%s, %s, 1, 5, 5)"""
    assert accepts(seed, line, [order, seed_product(seed)])

    assert refused_by(shop, statement, ["zz "]) == "currency_code_format"
    assert refused_by(shop, statement, ["ZZZ"]) == "products_currency_code_fkey"
    assert refused_by(shop, statement, [None]) == "currency_code"
    order, product = shop_order(shop, new_user(shop), currency_code="EUR"), shop_product(shop)
    line = """insert into order_items (order_id, product_id, line_number, currency_code, quantity, unit_price)
        values (%s, %s, 1, %s, 1, 5)"""
    assert refused_by(shop, line, [order, product, "USD"]) == "order_items_order_id_currency_code_fkey"
    assert refused_by(shop, line, [order, product, "EUR"]) == "order_items_product_id_currency_code_fkey"


def test_d12_the_total_of_an_order_follows_from_its_parts(seed: Connection, shop: Connection) -> None:
    """The original takes subtotal 10 with total 5000."""
    seed_order(seed, new_user(seed), subtotal=10, total_amount=5000)

    order = shop_order(shop, new_user(shop), subtotal=10, tax_amount=2, shipping_amount=5, discount_amount=1)
    assert value(shop, "select total_amount from orders where order_id = %s", [order]) == 16
    assert refused_by(shop, "update orders set total_amount = 5000") == "428C9"
    assert refused_by(shop, "update orders set discount_amount = 11") == "orders_discount_amount_check"


def test_d13_the_subtotal_of_an_order_is_that_of_its_lines(seed: Connection, shop: Connection) -> None:
    """The original takes any total of a line, and an order that says something else than its lines."""
    order = seed_order(seed, new_user(seed), subtotal=10)
    line = """insert into order_items (order_id, product_id, quantity, unit_price, total_amount) values
        (%s, %s, 2, 5, 123)"""
    assert accepts(seed, line, [order, seed_product(seed)])

    order, product = shop_order(shop, new_user(shop)), shop_product(shop)
    shop_line(shop, order, product, quantity=2, unit_price=5, discount_amount=1, tax_amount=Decimal("0.72"))
    assert value(shop, "select total_amount from order_items") == Decimal("9.72")
    totals = "update orders set subtotal = %s, tax_amount = %s"
    assert accepts(shop, totals, [9, Decimal("0.72")])
    assert refused_by(shop, totals, [10, Decimal("0.72")]) == "orders_totals"
    shop.execute(totals, [9, Decimal("0.72")])
    shop.execute("set constraints all immediate")
    shop.execute("set constraints all deferred")
    assert refused_by(shop, "update orders set subtotal = 10") == "orders_totals"
    assert refused_by(shop, "update order_items set quantity = 3") == "order_items_totals"
    assert refused_by(shop, "delete from order_items") == "order_items_totals"
    assert accepts(shop, "update order_items set quantity = 3; update orders set subtotal = 14")


DERIVED_COLUMNS = """
    select c.relname || '.' || a.attname, col_description(c.oid, a.attnum)
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = %s::regnamespace and col_description(c.oid, a.attnum) like 'Derived:%%'
    order by 1"""


def test_d14_derived_columns_name_what_keeps_them_true(seed: Connection, shop: Connection) -> None:
    """The original claims the third normal form and lets derived columns drift; the product guards them."""
    assert seed.execute(DERIVED_COLUMNS, ["public"]).fetchall() == []
    seed_order(seed, new_user(seed), subtotal=10, total_amount=5000)
    assert accepts(
        seed, "insert into categories (category_name, category_path) values ('Toys', 'Totally.Different')"
    )

    derived = dict(shop.execute(DERIVED_COLUMNS, ["shop"]).fetchall())
    assert set(derived) == {
        "categories.category_path",
        "inventory.quantity_available",
        "inventory.quantity_reserved",
        "order_items.currency_code",
        "order_items.total_amount",
        "orders.subtotal",
        "orders.tax_amount",
        "orders.total_amount",
    }
    guards = set(column(shop, """
        select 'trigger ' || t.tgname
        from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'shop'::regnamespace and t.tgenabled <> 'D'
        union all
        select 'constraint ' || conname from pg_constraint
        where connamespace = 'shop'::regnamespace and convalidated and conenforced
        union all
        select 'column ' || c.relname || '.' || a.attname
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'shop'::regnamespace and a.attgenerated <> ''"""))  # fmt: skip
    for name, comment in derived.items():
        words = comment.split("Kept true by ", 1)[1].replace(",", "").rstrip(".").split()
        named = {
            f"{kind} {what}" for kind, what in pairwise(words) if kind in ("trigger", "constraint", "column")
        }
        assert named and named <= guards, name


def test_d15_countries_are_known(seed: Connection, shop: Connection) -> None:
    """The original takes ZZ, blanks and a digit as a country."""
    statement = """insert into addresses (user_id, address_type, street_address_1, city, country_code)
        values (%s, 'both', 'Main Street 1', 'Berlin', %s)"""
    user = new_user(seed)
    assert all(accepts(seed, statement, [user, code]) for code in ("ZZ", "  ", "1"))

    user = new_user(shop)
    assert refused_by(shop, statement, [user, "ZZ"]) == "addresses_country_code_fkey"
    assert refused_by(shop, statement, [user, "  "]) == "country_code_format"
    assert refused_by(shop, statement, [user, "1"]) == "country_code_format"
    assert accepts(shop, statement, [user, "DE"])
    assert value(shop, "select count(*) from countries") == 249


def test_d16_one_default_address_a_purpose(seed: Connection, shop: Connection) -> None:
    """The original takes several default addresses of one user and type; so does 'both' beside 'shipping'."""
    statement = """insert into addresses
        (user_id, address_type, street_address_1, city, country_code, is_default)
        values (%s, %s, 'Main Street 1', 'Berlin', 'DE', true)"""
    user = new_user(seed)
    seed.execute(statement, [user, "shipping"])
    assert accepts(seed, statement, [user, "shipping"])

    user = new_user(shop)
    shop.execute(statement, [user, "shipping"])
    assert refused_by(shop, statement, [user, "shipping"]) == "addresses_default_shipping_key"
    assert refused_by(shop, statement, [user, "both"]) == "addresses_default_shipping_key"
    assert accepts(shop, statement, [user, "billing"])
    assert accepts(shop, statement, [new_user(shop, "eve"), "shipping"])


def test_d17_one_primary_category_a_product(seed: Connection, shop: Connection) -> None:
    """The original takes two primary categories for one product."""
    for conn in (seed, shop):
        product = seed_product(conn)
        conn.execute("insert into categories (category_name) values ('Toys'), ('Books')")
        conn.execute(
            "insert into product_categories select %s, category_id, category_name = 'Toys' from categories",
            [product],
        )
    statement = "update product_categories set is_primary = true"
    assert accepts(seed, statement)

    assert refused_by(shop, statement) == "product_categories_primary_key"


def test_d18_categories_are_a_tree(seed: Connection, shop: Connection) -> None:
    """The original takes a category as its own parent, A below B below A, and two siblings of one name."""
    for conn in (seed, shop):
        conn.execute("insert into categories (category_name) values ('A')")
        conn.execute(
            """insert into categories (category_name, parent_category_id) select 'B', category_id
                from categories"""
        )
        conn.execute(
            """insert into categories (category_name, parent_category_id) select 'C', category_id
                from categories where category_name = 'B'"""
        )
    own = "update categories set parent_category_id = category_id where category_name = 'A'"
    circle = """update categories set parent_category_id = (select category_id from categories
        where category_name = 'C') where category_name = 'A'"""
    twin_root = "insert into categories (category_name) values ('A')"
    assert accepts(seed, own) and accepts(seed, circle) and accepts(seed, twin_root)

    assert refused_by(shop, own) == "categories_parent_check"
    assert refused_by(shop, circle) == "categories_path"
    assert refused_by(shop, twin_root) == "categories_parent_category_id_category_name_key"
    assert accepts(
        shop,
        """insert into categories (category_name, parent_category_id) select 'A', category_id
            from categories where category_name = 'C'""",
    )


def test_d19_the_path_of_a_category_follows_from_its_parents(seed: Connection, shop: Connection) -> None:
    """The original stores any path beside any parent, and none for names with a blank."""
    any_path = """insert into categories (category_name, category_path) values
        ('Phones', 'Totally.Different') returning category_path::text"""
    assert value(seed, any_path) == "Totally.Different"
    assert accepts(seed, "insert into categories (category_name) values ('No path')")
    error = refusal(
        seed,
        "insert into categories (category_name, category_path) values ('X', 'Electronics.Mobile Phones')",
    )
    assert error is not None and error.pgcode == "42601"

    assert value(shop, any_path) == "phones"
    shop.execute("insert into categories (category_name) values ('Electronics'), ('Attic'), ('本')")
    child = """insert into categories (category_name, parent_category_id) select %s, category_id
        from categories where category_name = %s"""
    shop.execute(child, ["Mobile Phones", "Electronics"])
    shop.execute(child, ["Cases & Covers", "Mobile Phones"])
    path = "select category_path::text from categories where category_name = 'Cases & Covers'"
    assert value(shop, path) == "electronics.mobile_phones.cases_covers"
    assert value(
        shop, "select category_path::text ~ '^c[0-9a-f]{32}$' from categories where category_name = '本'"
    )
    shop.execute(
        """update categories set parent_category_id = (select category_id from categories
            where category_name = 'Attic') where category_name = 'Mobile Phones'"""
    )
    assert value(shop, path) == "attic.mobile_phones.cases_covers"
    shop.execute("update categories set slug = 'phones_and_more' where category_name = 'Mobile Phones'")
    assert value(shop, path) == "attic.phones_and_more.cases_covers"
    shop.execute("update categories set category_path = 'x.y' where category_name = 'Cases & Covers'")
    assert value(shop, path) == "attic.phones_and_more.cases_covers"
    assert refused_by(shop, "update categories set category_path = null") == "category_path"


def indexed(conn: Connection, table: str, columns: list[str]) -> bool:
    """Whether a full index of *table* starts with *columns*, in any order."""
    return value(
        conn,
        """select exists (
            select from pg_index i
            where i.indrelid = %(table)s::regclass and i.indpred is null and (
                select array_agg(a.attname::text order by a.attname)
                from unnest(i.indkey::int2[]) with ordinality k (attnum, position)
                join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                where k.position <= cardinality(%(columns)s)
            ) = %(columns)s)""",
        {"table": table, "columns": sorted(columns)},
    )


def test_d20_products_of_a_category_are_indexed(seed: Connection, shop: Connection) -> None:
    """No index of the original's product_categories leads with the category."""
    assert not indexed(seed, "product_categories", ["category_id"])

    assert indexed(shop, "product_categories", ["category_id"])


def test_d21_addresses_of_orders_are_indexed(seed: Connection, shop: Connection) -> None:
    """A delete of an address scans the original's orders."""
    assert not indexed(seed, "orders", ["shipping_address_id"])
    assert not indexed(seed, "orders", ["billing_address_id"])

    assert indexed(shop, "orders", ["shipping_address_id"])
    assert indexed(shop, "orders", ["billing_address_id"])


UNCOVERED_FOREIGN_KEYS = """
    select k.conrelid::regclass || '.' || k.conname
    from pg_constraint k
    where k.contype = 'f' and k.connamespace = any (%s::regnamespace[])
        and not exists (
            select
            from pg_index i
            cross join generate_series(1, i.indnkeyatts) width
            cross join lateral (
                select
                    array_agg(p.attnum) as columns,
                    array_agg(k.confkey[array_position(k.conkey, p.attnum)]) as keys
                from unnest((i.indkey::int2[])[0:width - 1]) p (attnum)
            ) prefix
            where i.indrelid = k.conrelid and i.indpred is null and prefix.columns <@ k.conkey and (
                prefix.columns @> k.conkey
                -- One of several columns is enough where it is a key of the referenced table by itself.
                or exists (
                    select from pg_index u
                    where u.indrelid = k.confrelid and u.indisunique and u.indpred is null
                        and u.indkey::int2[] <@ prefix.keys)))
    order by 1"""


def test_d21_every_foreign_key_is_covered(seed: Connection, shop: Connection) -> None:
    """For each foreign key an index finds the rows that refer to one row, and no more of them."""
    assert column(seed, UNCOVERED_FOREIGN_KEYS, [["public"]]) == [
        "orders.orders_billing_address_id_fkey",
        "orders.orders_shipping_address_id_fkey",
        "product_categories.product_categories_category_id_fkey",
    ]

    assert column(shop, UNCOVERED_FOREIGN_KEYS, [["shop", "audit"]]) == []


def test_d22_an_order_has_addresses_of_its_own_user(seed: Connection, shop: Connection) -> None:
    """The original ships an order of one user to an address of another."""
    for conn, order in ((seed, seed_order), (shop, shop_order)):
        address, other = seed_address(conn, new_user(conn)), new_user(conn, "eve")
        conn.execute("savepoint before")
        if conn is seed:
            order(conn, other, shipping_address_id=address)
            continue
        for role in ("shipping", "billing"):
            with pytest.raises(psycopg2.errors.ForeignKeyViolation, match=f"orders_{role}_address_fkey"):
                order(conn, other, **{f"{role}_address_id": address})
            conn.execute("rollback to savepoint before")
        order(conn, value(conn, "select user_id from addresses"), shipping_address_id=address)


def test_d23_editing_an_address_does_not_rewrite_history(seed: Connection, shop: Connection) -> None:
    """The original's orders show the address as it is now; the product's as it was when they were placed."""
    user = new_user(seed)
    seed_order(seed, user, shipping_address_id=seed_address(seed, user))
    seed.execute("update addresses set city = 'Hamburg'")
    where_it_went = "select a.city from orders o join addresses a on a.address_id = o.shipping_address_id"
    assert value(seed, where_it_went) == "Hamburg"

    user = new_user(shop)
    address = shop_address(shop, user)
    shop_order(shop, user, shipping_address_id=address, billing_address_id=address)
    shop.execute("update addresses set city = 'Hamburg'")
    where_it_went = "select address_role, city from order_addresses order by address_role"
    assert shop.execute(where_it_went).fetchall() == [("billing", "Berlin"), ("shipping", "Berlin")]
    shop.execute("delete from addresses")
    assert value(shop, "select shipping_address_id from orders") is None
    assert shop.execute(where_it_went).fetchall() == [("billing", "Berlin"), ("shipping", "Berlin")]
    shop.execute("update orders set shipping_address_id = %s", [shop_address(shop, user)])
    assert value(shop, "select count(*) from order_addresses") == 2


def test_d24_a_user_with_orders_is_erased_not_deleted(seed: Connection, shop: Connection) -> None:
    """The original cascades from users to addresses, but a user with orders cannot go at all."""
    user = new_user(seed)
    seed_order(seed, user, shipping_address_id=seed_address(seed, user))
    rules = """select array_agg(distinct confdeltype::text) from pg_constraint where contype = 'f'
        and confrelid = 'users'::regclass"""
    assert value(seed, rules) == ["a", "c"]
    error = refusal(seed, "delete from users")
    assert error is not None and error.pgcode == "23503"

    assert value(shop, rules) == ["r"]
    user = new_user(shop)
    address = shop_address(shop, user)
    shop.execute(
        "insert into user_profiles (user_id, first_name, phone) values (%s, 'Ada', '+4915112345678')", [user]
    )
    shop_order(shop, user, shipping_address_id=address, notes="Ring twice at Lovelace")
    error = refusal(shop, "delete from users")
    assert error is not None and error.pgcode == "23001"
    shop.execute("call erase_user(%s)", [user])
    assert shop.execute("select email, is_active, erased_at is not null from users").fetchall() == [
        (f"erased-{user}@invalid.example", False, True)
    ]
    assert value(shop, "select count(*) from user_profiles") == 0
    assert value(shop, "select count(*) from addresses") == 0
    assert shop.execute("select street_address_1, country_code from order_addresses").fetchall() == [
        ("erased", "DE")
    ]
    assert shop.execute("select order_number, notes from orders").fetchall() == [("SO-1", None)]
    trail = value(shop, "select string_agg(l::text, ' ') from audit.log l")
    for personal in ("ada@example.com", "Ada", "+4915112345678", "Main Street", "Berlin", "Lovelace"):
        assert personal not in trail
    assert refused_by(shop, "call erase_user(gen_random_uuid())") == "P0002"


def _stock(conn: Connection, product: str) -> str:
    """A warehouse with an empty shelf for *product*."""
    warehouse = value(
        conn,
        """insert into warehouses (warehouse_code, warehouse_name, country_code) values
            ('DE-01', 'Leipzig', 'DE') returning warehouse_id""",
    )
    conn.execute("insert into inventory (product_id, warehouse_id) values (%s, %s)", [product, warehouse])
    return warehouse


MOVEMENT = """insert into stock_movements
    (product_id, warehouse_id, movement_type, quantity_delta, reserved_delta, order_id, line_number)
    select i.product_id, i.warehouse_id, %s, %s, %s, l.order_id, l.line_number
    from inventory i left join order_items l on %s"""


def test_d25_stock_keeps_its_product(seed: Connection, shop: Connection) -> None:
    """In the original the delete of a product takes 500 pieces of stock with it."""
    product = seed_product(seed)
    seed.execute(
        """insert into inventory (product_id, warehouse_id, quantity_available) values
            (%s, gen_random_uuid(), 500)""",
        [product],
    )
    seed.execute("delete from products")
    assert value(seed, "select count(*) from inventory") == 0

    _stock(shop, shop_product(shop))
    assert refused_by(shop, "delete from products") == "inventory_product_id_fkey"
    assert accepts(shop, "update products set is_active = false")


def test_d26_a_warehouse_exists(seed: Connection, shop: Connection) -> None:
    """The original takes any UUID as a warehouse and has no index that leads with it."""
    statement = "insert into inventory (product_id, warehouse_id) values (%s, gen_random_uuid())"
    assert accepts(seed, statement, [seed_product(seed)])
    assert not indexed(seed, "inventory", ["warehouse_id"])

    assert refused_by(shop, statement, [shop_product(shop)]) == "inventory_warehouse_id_fkey"
    assert indexed(shop, "inventory", ["warehouse_id"])


def test_d27_stock_is_reserved_only_where_it_is(seed: Connection, shop: Connection) -> None:
    """The original reserves 999 of 1 and reorders at -5; nothing says how a quantity came about."""
    statement = """insert into inventory
        (product_id, warehouse_id, quantity_available, quantity_reserved, reorder_point, reorder_quantity)
        values (%s, gen_random_uuid(), 1, 999, -5, -5)"""
    assert accepts(seed, statement, [seed_product(seed)])

    product = shop_product(shop)
    _stock(shop, product)
    order = shop_order(shop, new_user(shop))
    shop_line(shop, order, product)
    assert refused_by(shop, MOVEMENT, ["reservation", 0, 1, True]) == "inventory_quantity_reserved_check"
    shop.execute(MOVEMENT, ["receipt", 5, 0, False])
    assert refused_by(shop, MOVEMENT, ["reservation", 0, 999, True]) == "inventory_quantity_reserved_check"
    assert refused_by(shop, MOVEMENT, ["adjustment", -6, 0, False]) == "inventory_quantity_available_check"
    shop.execute(MOVEMENT, ["reservation", 0, 2, True])
    shop.execute(MOVEMENT, ["shipment", -2, -2, True])
    balance = "select quantity_available, quantity_reserved, version from inventory"
    assert shop.execute(balance).fetchall() == [(3, 0, 4)]
    assert refused_by(shop, "update inventory set quantity_available = 99") == "inventory_ledger"
    assert refused_by(shop, "update inventory set reorder_point = -5") == "inventory_reorder_point_check"
    assert (
        refused_by(shop, "update inventory set reorder_quantity = -5") == "inventory_reorder_quantity_check"
    )
    assert refused_by(shop, "update stock_movements set quantity_delta = 7") == "42501"
    assert refused_by(shop, "delete from stock_movements") == "42501"
    assert refused_by(shop, MOVEMENT, ["shipment", 2, 2, True]) == "stock_movements_deltas_check"
    shop.execute("update inventory set reorder_point = 4 where version = 4")
    assert shop.execute("update inventory set reorder_point = 9 where version = 4").rowcount == 0


def test_d28_weights_are_possible(seed: Connection, shop: Connection) -> None:
    """The original takes a weight of -5 g, and one of something that is downloaded."""
    statement = """insert into products (sku, product_name, base_price, weight_grams, is_digital) values
        ('B-1', 'X', 1, %s, %s)"""
    assert accepts(seed, statement, [-5, False])
    assert accepts(seed, statement, [100, True])

    assert refused_by(shop, statement, [-5, False]) == "products_weight_grams_check"
    assert refused_by(shop, statement, [100, True]) == "products_digital_weight_check"
    assert accepts(shop, statement, [100, False])
    assert accepts(shop, statement, [None, True])


def test_d29_the_status_of_a_line_is_one_of_a_list(seed: Connection, shop: Connection) -> None:
    """The original takes 'banana' as the status of a line."""
    line = """insert into order_items
        (order_id, product_id, quantity, unit_price, total_amount, status) values
        (%s, %s, 1, 5, 5, 'banana')"""
    assert accepts(seed, line, [seed_order(seed, new_user(seed)), seed_product(seed)])

    shop_line(shop, shop_order(shop, new_user(shop), subtotal=10), shop_product(shop))
    assert refused_by(shop, "update order_items set status = 'banana'") == "order_status_known"
    assert refused_by(shop, "update order_items set status = 'delivered'") == "order_items_status_update"
    assert accepts(shop, "update order_items set status = 'processing'")


def test_d30_status_and_payment_move_by_rules(seed: Connection, shop: Connection) -> None:
    """The original goes from delivered to pending, and delivers what was not paid."""
    seed_order(seed, new_user(seed), status="delivered", payment_status="failed")
    assert accepts(seed, "update orders set status = 'pending'")

    user = new_user(shop)
    pending = "insert into orders (user_id, order_number, status, payment_status) values (%s, 'SO-9', %s, %s)"
    assert refused_by(shop, pending, [user, "delivered", "failed"]) == "orders_status_payment_check"
    assert refused_by(shop, pending, [user, "delivered", "paid"]) == "orders_status_insert"
    assert refused_by(shop, pending, [user, "refunded", "refunded"]) == "order_status_known"
    shop_order(shop, user)
    for status, payment in (("processing", "paid"), ("shipped", "paid"), ("delivered", "paid")):
        shop.execute("update orders set status = %s, payment_status = %s", [status, payment])
    assert refused_by(shop, "update orders set status = 'pending'") == "orders_status_update"
    assert refused_by(shop, "update orders set payment_status = 'pending'") == "orders_status_payment_check"
    shop.execute("update orders set status = 'returned', payment_status = 'refunded'")
    assert shop.execute(
        "select change_number, to_status, to_payment_status from order_status_history order by 1"
    ).fetchall() == [
        (1, "pending", "pending"),
        (2, "processing", "paid"),
        (3, "shipped", "paid"),
        (4, "delivered", "paid"),
        (5, "returned", "refunded"),
    ]
    assert refused_by(shop, "delete from order_status_history") == "42501"


def test_d31_a_line_has_a_number(seed: Connection, shop: Connection) -> None:
    """The original takes the same line twice."""
    line = """insert into order_items (order_id, product_id, quantity, unit_price, total_amount) values
        (%s, %s, 1, 5, 5)"""
    order, product = seed_order(seed, new_user(seed)), seed_product(seed)
    seed.execute(line, [order, product])
    assert accepts(seed, line, [order, product])

    order, product = shop_order(shop, new_user(shop)), shop_product(shop)
    shop_line(shop, order, product)
    again = """insert into order_items
        (order_id, line_number, product_id, currency_code, quantity, unit_price)
        select order_id, %s, product_id, currency_code, quantity, unit_price from order_items"""
    assert refused_by(shop, again, [1]) == "order_items_pkey"
    assert refused_by(shop, again, [0]) == "order_items_line_number_check"
    assert refused_by(shop, again, [None]) == "line_number"


def test_d32_a_profile_has_the_key_of_its_user(seed: Connection, shop: Connection) -> None:
    """The original has a second key for a 1:1 relationship, births in the future and any text as a phone."""
    keys = "select count(*) from pg_index where indrelid = 'user_profiles'::regclass and indisunique"
    statement = "insert into user_profiles (user_id, date_of_birth, phone) values (%s, current_date + %s, %s)"
    user = new_user(seed)
    assert value(seed, keys) == 2
    assert accepts(seed, statement, [user, 1, "call me"])

    user = new_user(shop)
    assert value(shop, keys) == 1
    assert refused_by(shop, statement, [user, 1, None]) == "user_profiles_date_of_birth_check"
    assert refused_by(shop, statement, [user, 0, "call me"]) == "user_profiles_phone_check"
    assert accepts(shop, statement, [user, 0, "+4915112345678"])
    shop.execute(statement, [user, 0, None])
    assert refused_by(shop, statement, [user, 0, None]) == "user_profiles_pkey"


@pytest.mark.parametrize("query", example.workload(), ids=lambda query: query.name)
def test_d33_each_query_of_the_workload_uses_its_index(
    filled: Connection, query: example.WorkloadQuery
) -> None:
    """Each declared query runs on the index that is there for it, chosen by the planner itself."""
    sample = {name: value(filled, sampler) for name, sampler in query.parameters.items()}

    text = plan(filled, "(analyze, buffers) " + query.sql, sample)

    assert query.minimum_scale <= 0.01
    assert query.index.split(".")[1] in text, text


def test_d33_every_index_has_a_reason(filled: Connection) -> None:
    """Every index serves a declared query, a constraint or a foreign key."""
    declared = {query.index for query in example.workload()}
    others = column(filled, """
        select i.indexrelid::regclass::text
        from pg_index i join pg_class c on c.oid = i.indrelid
        where c.relnamespace = 'shop'::regnamespace and not i.indisunique
            and not exists (
                select from pg_constraint k
                where k.contype = 'f' and k.conrelid = i.indrelid
                    and k.conkey @> (i.indkey::int2[])[0:cardinality(k.conkey) - 1])
        order by 1""")  # fmt: skip

    assert {f"shop.{name}" for name in others} <= declared


def test_d33_a_part_of_a_name_is_found_by_index(seed: Connection, filled: Connection) -> None:
    """The original's index on product_name cannot serve ILIKE '%x%', even where nothing else is allowed."""
    search = "select product_id from products where product_name ilike '%%ock 1%%'"
    for conn in (seed, filled):
        conn.execute("set local enable_seqscan = off")
    assert "idx_products_name" not in plan(seed, search)

    assert "products_product_name_idx" in plan(filled, search)


def test_d33_a_users_orders_need_no_sort(seed: Connection, filled: Connection) -> None:
    """The original must sort the orders of a user; the product reads the latest off the index."""
    busiest = value(
        filled, "select user_id from orders group by user_id order by count(*) desc, user_id limit 1"
    )
    search = "select order_id from orders where user_id = %s order by created_at desc limit 20"
    for conn in (seed, filled):
        conn.execute("set local enable_seqscan = off")
    assert "Sort" in plan(seed, search, [busiest])

    assert "Sort" not in plan(filled, search, [busiest])


def test_d34_new_keys_go_to_the_end_of_the_index(seed: Connection, shop: Connection) -> None:
    """60,000 users in one go: random keys leave the index emptier than ordered ones, and tell no time."""
    statement = """insert into users (email, username) select 'u' || n || '@example.com', 'u' || n
        from generate_series(1, 60000) n"""
    for conn in (seed, shop):
        conn.execute(statement)
    pages = "select pg_relation_size('users_pkey') / 8192"
    disorder = """select count(*) from (select user_id < lag(user_id) over (order by ctid) as back
        from users) u where back"""
    assert value(seed, disorder) > 27000

    assert value(shop, disorder) == 0
    assert value(shop, pages) < 0.85 * value(seed, pages)


def test_d35_timestamps_tell_the_truth(seed: Connection, shop: Connection) -> None:
    """The original's updated_at moves without a change, and created_at can be rewritten."""
    for conn in (seed, shop):
        new_user(conn)
        conn.execute("alter table users disable trigger user")
        conn.execute("update users set updated_at = '2020-01-01', created_at = '2020-01-01'")
        conn.execute("alter table users enable trigger user")
    moved = "select updated_at > '2020-01-02' from users"
    seed.execute("update users set is_active = is_active")
    assert value(seed, moved)
    assert accepts(seed, "update users set created_at = '1900-01-01'")

    shop.execute("update users set is_active = is_active")
    assert not value(shop, moved)
    assert refused_by(shop, "update users set created_at = '1900-01-01'") == "created_at"
    shop.execute("update users set is_active = false")
    assert value(shop, moved)


def test_d35_every_table_with_updated_at_keeps_it(seed: Connection, shop: Connection) -> None:
    """Three tables of the original have the trigger; in the product every table that can change has it."""
    with_trigger = """select count(distinct t.tgrelid) from pg_trigger t join pg_proc p on p.oid = t.tgfoid
        where p.proname in ('update_updated_at_column', 'maintain_timestamps')"""
    with_column = """select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relkind = 'r' and c.relnamespace = %s::regnamespace and a.attname = 'updated_at'"""
    without_column = """select c.relname from pg_class c
        where c.relkind = 'r' and c.relnamespace = 'shop'::regnamespace
            and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'updated_at')
        order by 1"""
    open_paths = """select count(*) from pg_proc
        where pronamespace = %s::regnamespace
        and prolang <> (select oid from pg_language where lanname = 'c')
        and not exists (select from unnest(proconfig) s where s = 'search_path=""')"""
    assert value(seed, with_trigger) == 3
    assert value(seed, open_paths, ["public"]) == 1

    assert value(shop, with_trigger) == value(shop, with_column, ["shop"]) == 13
    assert column(shop, without_column) == [
        "order_status_history",
        "order_status_transitions",
        "payment_status_transitions",
        "schema_migrations",
        "stock_movements",
    ]
    assert value(shop, open_paths, ["shop"]) == 0
    assert value(shop, open_paths, ["audit"]) == 0


def test_d36_the_audit_trail_holds_nobody_back(seed: Connection, shop: Connection) -> None:
    """In the original a user with a row in the audit log cannot be deleted."""
    user = new_user(seed)
    seed.execute(
        "insert into audit_log (table_name, record_id, action, user_id) values ('users', %s, 'INSERT', %s)",
        [user, user],
    )
    error = refusal(seed, "delete from users")
    assert error is not None and error.pgcode == "23503"

    user = new_user(shop)
    shop.execute("delete from users")
    assert column(
        shop,
        "select action from audit.log where record_key = jsonb_build_object('user_id', %s) order by audit_id",
        [user],
    ) == ["I", "D"]
    assert (
        value(
            shop,
            "select count(*) from pg_constraint where contype = 'f' and connamespace = 'audit'::regnamespace",
        )
        == 0
    )


def test_d37_any_key_can_be_recorded(seed: Connection, shop: Connection) -> None:
    """The original's record_id is one UUID: no composite key, no number, no text."""
    statement = "insert into audit_log (table_name, record_id, action) values ('counters', %s, 'INSERT')"
    error = refusal(seed, statement, ["7"])
    assert error is not None and error.pgcode == "22P02"

    shop.execute("insert into order_status_transitions values ('shipped', 'cancelled')")
    shop.execute("create table counters (id int primary key, n int)")
    shop.execute("call audit.watch('counters')")
    shop.execute("insert into counters values (7, 1)")
    shop.execute("update counters set n = 2")
    shop.execute("update counters set n = 2")
    entries = "select table_name, action, record_key, old_values from audit.log order by audit_id"
    assert shop.execute(entries).fetchall() == [
        ("order_status_transitions", "I", {"from_status": "shipped", "to_status": "cancelled"}, None),
        ("counters", "I", {"id": 7}, None),
        ("counters", "U", {"id": 7}, {"n": 1}),
    ]
    shop.execute("create table keyless (n int)")
    assert refused_by(shop, "call audit.watch('keyless')") == "42P16"


def test_d37_a_changed_key_reads_as_a_deletion_and_an_insertion(shop: Connection) -> None:
    """Old and new rows are paired by their key: a row that gets another key leaves and arrives."""
    shop.execute("create table counters (id int primary key, n int)")
    shop.execute("insert into counters values (7, 1)")
    shop.execute("call audit.watch('counters')")
    shop.execute("update counters set id = 8")
    entries = "select action, record_key, old_values from audit.log order by action"
    assert shop.execute(entries).fetchall() == [("D", {"id": 7}, {"id": 7, "n": 1}), ("I", {"id": 8}, None)]


def test_d37_names_of_columns_do_not_confuse_the_trail(shop: Connection) -> None:
    """Columns called like the trigger's own variables, or in need of quotes, are recorded too."""
    names = ["n", "acting", "key_columns", "new_rows", "record", "tg_op", 'odd "name" %']
    columns = sql.SQL(", ").join(sql.SQL("{} int").format(sql.Identifier(name)) for name in names)
    shop.execute(sql.SQL('create table "Odd Table" ("Key" int primary key, {})').format(columns))
    shop.execute("""call audit.watch('"Odd Table"')""")
    shop.execute('insert into "Odd Table" values (1, 2, 3, 4, 5, 6, 7, 8)')
    shop.execute(sql.SQL('update "Odd Table" set {} = 9').format(sql.Identifier(names[-1])))
    shop.execute('delete from "Odd Table"')
    assert shop.execute(
        "select action, record_key, old_values from audit.log order by audit_id"
    ).fetchall() == [
        ("I", {"Key": 1}, None),
        ("U", {"Key": 1}, {names[-1]: 8}),
        ("D", {"Key": 1}, {"Key": 1, **dict(zip(names, [2, 3, 4, 5, 6, 7, 9], strict=True))}),
    ]


def test_d38_long_names_and_truncation_are_recorded(seed: Connection, shop: Connection) -> None:
    """The original's table_name ends at 50 characters and its actions at three."""
    name = "t" * 63
    statement = "insert into audit_log (table_name, record_id, action) values (%s, gen_random_uuid(), %s)"
    error = refusal(seed, statement, [name, "INSERT"])
    assert error is not None and error.pgcode == "22001"
    assert refused_by(seed, statement, ["users", "TRUNCATE"]) == "audit_log_action_check"

    for statement in (
        "create table {} (id int primary key)",
        "call audit.watch({}::regclass)",
        "insert into {} values (1)",
        "truncate {}",
    ):
        part = sql.Literal(name) if "regclass" in statement else sql.Identifier(name)
        shop.execute(sql.SQL(statement).format(part))
    entries = (
        "select schema_name, table_name, action, relation_id = %s::regclass from audit.log order by audit_id"
    )
    assert shop.execute(entries, [name]).fetchall() == [("shop", name, "I", True), ("shop", name, "T", True)]


def test_d39_the_audit_trail_only_grows(seed: Connection, shop: Connection) -> None:
    """The original's log can be edited and erased, its time may be missing, and its key has no order."""
    seed.execute(
        """insert into audit_log (table_name, record_id, action, created_at) values
            ('users', gen_random_uuid(), 'INSERT', null)"""
    )
    assert accepts(seed, "update audit_log set action = 'DELETE'")
    assert accepts(seed, "delete from audit_log")

    new_user(shop)
    new_user(shop, "eve")
    for statement in ("update audit.log set actor = 'nobody'", "delete from audit.log", "truncate audit.log"):
        assert refused_by(shop, statement) == "42501"
    leaves = "select (parse_ident(relid::regclass::text))[2] from pg_partition_tree('audit.log') where isleaf"
    for leaf in column(shop, leaves):
        statement = sql.SQL("truncate {}").format(sql.Identifier("audit", leaf))
        assert refused_by(shop, statement) == "42501"
    erased = "select action from audit.log"
    assert column(shop, erased) == ["I", "I"]
    entries = shop.execute(
        "select audit_id, recorded_at, transaction_id from audit.log order by audit_id"
    ).fetchall()
    assert len(entries) == 2
    assert entries[0][1] < entries[1][1]
    assert entries[0][2] == entries[1][2]


def test_d39_the_trail_has_an_owner_that_nobody_logs_in_as(shop: Connection) -> None:
    """Who changes a table is logged with no right on the log, and can neither read nor write it."""
    assert value(shop, "select not rolcanlogin and not rolsuper from pg_roles where rolname = 'audit_owner'")
    owners = """select array_agg(distinct relowner::regrole::text) from pg_class
        where relnamespace = 'audit'::regnamespace"""
    assert value(shop, owners) == ["audit_owner"]
    shop.execute(
        "create role clerk; grant usage on schema shop to clerk; grant insert, select on users to clerk"
    )
    shop.execute("set local app.actor = 'clerk 7'")
    shop.execute("set local role clerk")
    new_user(shop)
    for statement in (
        "select from audit.log",
        "insert into audit.log (actor) values ('x')",
        "delete from audit.log",
        "select audit.ensure_partitions('2030-01-01', '2030-01-01')",
    ):
        assert refused_by(shop, statement) == "42501"
    shop.execute("reset role")
    assert shop.execute("select action, actor, login_role = session_user from audit.log").fetchall() == [
        ("I", "clerk 7", True)
    ]


def test_d39_months_have_partitions_and_can_be_retired(shop: Connection) -> None:
    """Entries of this month are in a partition of their own, those of an unforeseen one in the default."""
    new_user(shop)
    assert value(
        shop,
        """select tableoid::regclass::text = 'audit.log_' || to_char(now() at time zone 'UTC', 'YYYY_MM')
        from audit.log""",
    )
    made = column(shop, "select audit.ensure_partitions('2031-11-15', '2032-01-02')")
    assert made == ["log_2031_11", "log_2031_12", "log_2032_01"]
    assert column(shop, "select audit.ensure_partitions('2031-11-15', '2032-01-02')") == []
    assert refused_by(shop, "truncate audit.log_2031_12") == "42501"
    shop.execute("alter table audit.log detach partition audit.log_2031_11; drop table audit.log_2031_11")
    later = """insert into audit.log (recorded_at, relation_id, schema_name, table_name, action, actor)
        values ('2040-01-01', 0, 'shop', 'users', 'T', 'x') returning tableoid::regclass::text"""
    assert value(shop, later) == "audit.log_default"
