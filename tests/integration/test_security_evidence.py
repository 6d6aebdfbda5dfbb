"""The trail of a whole design as evidence: tampered with, and asked for the past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from workbench.areas.security import prove_evidence, prove_time_travel
from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.intent.reading import example_intent
from workbench.areas.security.trial import Target, security_place
from workbench.engines.postgres import Server
from workbench.errors import BadInput
from workbench.source import Options, open_source


@pytest.fixture(scope="module")
def target(server: Server) -> Iterator[Target]:
    """The example with its design, in a cluster of its own."""
    with (
        open_source("ecommerce", server, Options(scale=0.001)) as opened,
        security_place(opened) as place,
        hardened(place, example_intent(place.catalog)) as made,
    ):
        yield made


def test_whoever_tampers_is_noticed_and_whoever_does_not_is_not(target: Target) -> None:
    """Each way is found with the anchors; only the chain that was computed again needs them."""
    found = {each.name: each for each in prove_evidence(target)}

    assert not found["nothing"].noticed
    assert all(each.noticed for name, each in found.items() if name != "nothing")
    assert {name for name, each in found.items() if not each.without_anchor} == {"nothing", "rewritten"}


def test_the_rows_of_a_moment_come_back(target: Target) -> None:
    """Every audited table with rows, and every row as it was."""
    found = prove_time_travel(target)

    assert all(each.exact for each in found)
    assert {("shop", "orders"), ("shop", "users"), ("shop_api", "visits")} <= {each.table for each in found}
    assert all(each.changed for each in found)


def test_a_trail_with_a_gap_does_not_give_the_rows_back(target: Target) -> None:
    """One trigger off, and the table's rows are fewer than they were; the others are exact."""
    with target.place.server.session(target.database) as conn:
        conn.execute("alter table shop.orders disable trigger audit_delete")
    try:
        found = {each.table: each for each in prove_time_travel(target)}
    finally:
        with target.place.server.session(target.database) as conn:
            conn.execute("alter table shop.orders enable always trigger audit_delete")

    assert [name for name, each in found.items() if not each.exact] == [("shop", "orders")]
    assert found["shop", "orders"].equal < found["shop", "orders"].rows


@pytest.mark.parametrize("prove", [prove_evidence, prove_time_travel])
def test_an_intent_without_an_audit_has_no_trail(target: Target, prove: object) -> None:
    """It is said, and nothing is made."""
    without = replace(target, intent=replace(target.intent, audit=None))

    with pytest.raises(BadInput, match="has no audit"):
        prove(without)  # type: ignore[operator]
