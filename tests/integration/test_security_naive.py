"""The naive design runs, and each of its faults is there to be attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from workbench.areas.security.attacks.naive import SETTING, audit_log, naive, protected_table
from workbench.areas.security.attacks.probes import probe_attempts
from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.intent.model import Intent, RoleIntent
from workbench.areas.security.intent.reading import example_intent
from workbench.areas.security.trial import security_place, with_surface
from workbench.areas.security.trial.model import Place, Target
from workbench.engines.postgres import Server
from workbench.errors import BadInput
from workbench.source import Options, open_source


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[Place]:
    with open_source("ecommerce", server, Options(scale=0.01)) as opened, security_place(opened) as found:
        yield found


@pytest.fixture(scope="module")
def intent(place: Place) -> Intent:
    return with_surface(example_intent(place.catalog))


@pytest.fixture(scope="module")
def target(place: Place, intent: Intent) -> Iterator[Target]:
    with naive(place, intent) as found:
        yield found


@pytest.fixture(scope="module")
def safe(place: Place, intent: Intent, target: Target) -> Iterator[Target]:
    """Beside the naive one, with the same roles in the same cluster."""
    with hardened(place, intent) as found:
        yield found


def said(target: Target, role: str, statement: str, identity: str | None = None) -> Any:
    """The first value, how many rows were changed, or the SQLSTATE; taken back."""
    with contextlib.closing(target.connect(role, identity)) as conn:
        conn.execute("begin")
        try:
            cur = conn.execute(statement)
        except psycopg2.Error as exc:
            return exc.pgcode
        row = cur.fetchone() if cur.description else None
        return row[0] if row else cur.rowcount


def test_it_runs_with_the_roles_of_the_intent(target: Target) -> None:
    """A user of the shop sees the own orders and no other, as whoever wrote it will have tried."""
    mine = said(target, "shop_app", "select count(distinct user_id) from shop.orders", target.identities.a)
    assert mine == 1
    assert said(target, "shop_app", "select count(*) from shop.orders") == 0
    assert target.design is None and target.name == "naive"


def test_identity_can_be_set_by_anybody(target: Target) -> None:
    """One statement makes a session act for somebody else."""
    forged = f"set {SETTING} = '{target.identities.b}'; select min(user_id::text) from shop.orders"
    assert said(target, "shop_app", forged, target.identities.a) == target.identities.b


def test_only_one_table_is_protected(target: Target, safe: Target) -> None:
    """Users, lines and visits of everybody are open; the hardened design closes them."""
    for table in ("shop.users", "shop.order_items", "shop_api.visits"):
        count = f"select count(*) from {table}"
        assert said(target, "shop_app", count, target.identities.a) > 1000 - 1
        assert said(safe, "shop_app", count, safe.identities.a) < 500


def test_views_and_definers_see_everything(target: Target, safe: Target) -> None:
    """What the surface has beside the tables goes around row security; hardened, it is nobody's."""
    view = "select count(distinct user_id) from shop_api.order_overview"
    other = f"select shop_api.order_count('{target.identities.b}')"
    for statement in (view, other):
        assert said(target, "shop_app", statement, target.identities.a) > 1
        assert said(safe, "shop_app", statement, safe.identities.a) == "42501"


def test_owner_is_not_bound(target: Target, safe: Target) -> None:
    """Row security is not forced: the owner of the tables reads all."""
    assert said(target, target.place.deployer, "select count(*) from shop.orders") > 1000
    assert said(safe, safe.place.deployer, "select count(*) from shop.orders") == "42501"


def test_reading_policy_allows_deleting(target: Target, safe: Target) -> None:
    """FOR ALL with USING alone lets a user set the status of an own order, which the intent does not."""
    statement = "update shop.orders set shipping_amount = 0 where user_id is not null"
    assert said(target, "shop_app", statement, target.identities.a) > 0
    assert said(safe, "shop_app", statement, safe.identities.a) == "42501"


def test_readers_see_nothing_of_the_protected_table(target: Target, safe: Target) -> None:
    """Rights and policies contradict one another: who was granted all orders sees none."""
    assert said(target, "shop_reporting", "select count(*) from shop.orders") == 0
    assert said(safe, "shop_reporting", "select count(order_id) from shop.orders") > 1000


def test_admin_empties_what_it_cannot_see(target: Target, safe: Target) -> None:
    """TRUNCATE knows no row security, and is not in the trail."""
    statement = "truncate shop_api.visits"
    assert said(target, "shop_operator", statement) == -1
    assert said(safe, "shop_operator", statement) == "42501"


def test_trail_is_forged_and_keeps_the_text_of_statements(target: Target) -> None:
    """A writer adds to the trail and erases it; it holds personal values and the statement's text."""
    assert audit_log(target.intent) == ("shop", "audit_log")
    with contextlib.closing(target.connect("shop_app", target.identities.a)) as conn:
        conn.execute("begin")
        conn.execute("update shop.orders set notes = 'secret-in-text' where true")
        found = conn.execute(
            "select count(*), count(*) filter (where query_text ~ 'secret-in-text') from shop.audit_log"
        ).fetchone()
    assert found is not None and found[0] == found[1] > 0
    forged = "insert into shop.audit_log (table_name, action, record_id) values ('orders', 'DELETE', 'x')"
    assert said(target, "shop_backoffice", forged) == 1
    assert said(target, "shop_backoffice", "delete from shop.audit_log") == 0


def test_what_nobody_was_given_is_open_and_closed(target: Target, safe: Target) -> None:
    """Strangers, temporary tables, routines, later objects, others' tokens: all open, then all closed."""
    numbers = {"U1", "U2", "U3", "U4", "U5", "U6"}
    before, after = (probe_attempts(each, only=numbers) for each in (target, safe))
    assert [each.key for each in before if not each.leak] == []
    assert [each.key for each in after if not each.as_declared] == []
    assert {each.number for each in after} == numbers
    assert [each.rows is not None and each.rows > 0 for each in after if each.number == "U5"] == [
        True, False, False, False,
    ]  # fmt: skip


def test_without_owned_rows_there_is_nothing_to_protect() -> None:
    """An intent that says to whom no row belongs cannot have the naive design."""
    with pytest.raises(BadInput, match="says of no table to whom its rows belong"):
        protected_table(Intent("empty", (RoleIntent("e_owner", "owner"),), ()))
