"""What row security costs a query: without it, as the design has it, and as it is often written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench import sql
from workbench.areas.security.design.applying import apply_design
from workbench.areas.security.design.found import read_found
from workbench.areas.security.design.making import design_of
from workbench.areas.security.design.tokens import (
    SETTING,
    TokenKey,
    install_token_key,
    new_key,
    sign_token,
)
from workbench.areas.security.intent.model import Identity, Intent, RoleIntent, RowOwner, Rule
from workbench.areas.security.trial.model import Place
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.plans import Contender, Plan, explain, interleaved

_FOLDER = "security/design/cost"
_FEWEST_ROWS = 1_000
_ROWS_A_CUSTOMER = 500
_CUSTOMER = 7
_SCHEMA = "measured"


def _table(name: str) -> tuple[str, str]:
    return _SCHEMA, name


_INTENT = Intent(
    "measured",
    roles=(
        RoleIntent("measured_owner", "owner"),
        RoleIntent("measured_app", "login", identified="token"),
    ),
    rules=(Rule("measured_app", tuple(map(_table, ("visits", "orders", "items"))), ("select",), "own"),),
    owners={
        _table("customers"): RowOwner(_table("customers"), column="customer_id"),
        _table("visits"): RowOwner(_table("visits"), column="customer_id"),
        _table("orders"): RowOwner(_table("orders"), column="customer_id"),
        _table("items"): RowOwner(
            _table("items"), parent=_table("orders"), columns=("order_id",), parent_columns=("order_id",)
        ),
    },
    identity=Identity(_table("customers"), "customer_id", "integer", 3600),
)


@dataclass(frozen=True)
class _Shape:
    """A question, what it is without row security, and the roles whose policies answer it in their way."""

    name: str
    with_policy: str
    without: str
    others: dict[str, str]  # variant → role


_PER_ROW = {"a setting a row": "measured_per_row"}
_EXISTS = {"exists a row": "measured_exists"}
_SHAPES = (
    _Shape(
        "scan without an index",
        "select sum(v.seconds) from measured.visits v",
        "select sum(v.seconds) from measured.visits v where v.customer_id = 7",
        _PER_ROW,
    ),
    _Shape(
        "own rows by index",
        "select sum(o.amount) from measured.orders o",
        "select sum(o.amount) from measured.orders o where o.customer_id = 7",
        _PER_ROW,
    ),
    _Shape(
        "one row by its key",
        "select o.amount from measured.orders o where o.order_id = 6",
        "select o.amount from measured.orders o where o.order_id = 6 and o.customer_id = 7",
        _PER_ROW,
    ),
    _Shape(
        "own rows through the parent",
        "select sum(i.amount) from measured.items i",
        "select sum(i.amount) from measured.items i join measured.orders o using (order_id) "
        "where o.customer_id = 7",
        _EXISTS,
    ),
    _Shape(
        "1,000 checks of the token",
        "select count(access.current_identity()) from pg_catalog.generate_series(1, 1000)",
        "select count(7 + n) from pg_catalog.generate_series(1, 1000) n",
        {},
    ),
)
NO_ROW_SECURITY = "no row security"
DESIGN = "as designed"


@dataclass(frozen=True)
class ShapeCost:
    """Times in ms and the plan of one *shape* of query under one *variant* of row security.

    *value* is what the query gave: it is the same for all variants of a shape.
    """

    shape: str
    variant: str
    query: str
    median_ms: float
    min_ms: float
    runs: int
    rows: int
    value: int
    plan: Plan = field(repr=False)


def row_security_cost(place: Place, *, rows: int = 200_000, runs: int = 3) -> tuple[ShapeCost, ...]:
    """Each shape of query over *rows* rows, the variants timed in turn, *runs* times each.

    The tables are made in a database of their own in *place*'s cluster and hardened by a design of their
    own; it and its roles are gone afterwards. Without row security the query names the customer itself.
    Raises BadInput for too few rows.
    """
    if rows < _FEWEST_ROWS or runs < 1:
        raise BadInput(
            f"the cost of row security is measured on {_FEWEST_ROWS:,} rows or more, and at least once"
        )
    with _measured(place, rows) as (database, key):
        return tuple(cost for shape in _SHAPES for cost in _costs(place, database, key, shape, rows, runs))


@contextlib.contextmanager
def _measured(place: Place, rows: int) -> Iterator[tuple[str, TokenKey]]:
    """The database with the rows, the design and the other policies."""
    customers = max(_CUSTOMER, rows // _ROWS_A_CUSTOMER)
    try:
        with place.server.scratch_database(owner=place.deployer, label="row security") as database:
            key = new_key("measured")
            with contextlib.closing(place.connect(database)) as conn:
                counts = {"rows": rows, "customers": customers, "orders": rows // 5}
                sql.run(conn, [f"{_FOLDER}/tables.sql"], counts)
                apply_design(conn, design_of(_INTENT, reflect(conn), read_found(conn)))
                install_token_key(conn, key, intent=_INTENT)
            with place.server.session(database) as conn:
                sql.run(conn, [f"{_FOLDER}/variants.sql"])
            yield database, key
    finally:
        with place.server.session() as conn:
            sql.run(conn, [f"{_FOLDER}/drop_variants.sql"])


def _costs(
    place: Place, database: str, key: TokenKey, shape: _Shape, rows: int, runs: int
) -> Iterator[ShapeCost]:
    with contextlib.ExitStack() as stack:
        superuser = stack.enter_context(place.server.session(database))
        sessions = {NO_ROW_SECURITY: superuser}
        for variant, role in {DESIGN: "measured_app", **shape.others}.items():
            sessions[variant] = stack.enter_context(contextlib.closing(place.connect(database, role)))
            token = sign_token(key, str(_CUSTOMER), role=role, database=database, lifetime_s=3600)
            for setting, value in ((SETTING, token), ("measured.customer", str(_CUSTOMER))):
                sessions[variant].execute("select pg_catalog.set_config(%s, %s, false)", [setting, value])
        queries = {
            variant: shape.without if variant == NO_ROW_SECURITY else shape.with_policy
            for variant in sessions
        }
        times = interleaved(
            superuser,
            {variant: _running(sessions[variant], queries[variant]) for variant in sessions},
            runs,
        )
        for variant, conn in sessions.items():
            found = conn.execute(queries[variant]).fetchone()
            yield ShapeCost(
                shape.name,
                variant,
                queries[variant],
                times[variant].median_ms,
                times[variant].min_ms,
                runs,
                rows,
                0 if found is None or found[0] is None else int(found[0]),
                explain(conn, queries[variant]),
            )


def _running(conn: Connection, query: str) -> Contender:
    return Contender(lambda _: conn.execute(query))
