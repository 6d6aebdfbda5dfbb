"""Transactions and concerns: what holds when clients fail, writers collide and primaries die."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from workbench.engines.mongo import private_mongod
from workbench.proof.documents.at_once import at_once
from workbench.proof.documents.claims import Claim
from workbench.proof.documents.failures import (
    Observed,
    claims_of,
    lose_the_primary,
    prove_with_a_lagging_member,
    survives,
)
from workbench.proof.documents.transactions import prove_transactions


def test_transactions_are_all_or_nothing(mongo: Database[dict[str, Any]]) -> None:
    """Aborted, unseen before the commit, refused and run again on conflict: each claim holds."""
    claims = prove_transactions(mongo)

    assert [each.outcome for each in claims] == ["proved"] * 4
    assert claims[2].facts["code"] == 112
    assert mongo.list_collection_names() == []


def test_the_same_writes_without_a_transaction_are_refuted(mongo: Database[dict[str, Any]]) -> None:
    """Made one by one, the same writes are left half done, seen half done, and lost in a conflict."""
    claims = prove_transactions(mongo, transactional=False)

    assert [each.outcome for each in claims] == ["refuted"] * 4


@pytest.fixture(scope="module")
def seen() -> Iterator[tuple[list[Claim], Observed]]:
    """What three members of our own showed, one lagging, then the primary lost."""
    with private_mongod(members=3) as (server, cluster):
        yield prove_with_a_lagging_member(server, cluster), lose_the_primary(server, cluster)


def test_a_lagging_member(seen: tuple[list[Claim], Observed]) -> None:
    """w: 3 is not acknowledged, a plain read is stale, a causal session waits for its own write."""
    lagging, _ = seen

    assert [(each.claim, each.saw) for each in lagging if not each.holds] == []
    assert lagging[0].facts["code"] == 64


def test_a_lost_primary(seen: tuple[list[Claim], Observed]) -> None:
    """What the majority acknowledged is there; what the primary alone had, or was open, is not."""
    _, observed = seen

    assert [(each.claim, each.saw) for each in claims_of(observed) if not each.holds] == []
    assert observed.lost("w: 1") == {"alone, w: 1"}


def test_a_design_that_relies_on_the_primary_alone_is_refuted(seen: tuple[list[Claim], Observed]) -> None:
    """The claim that w: 1 survives does not hold on the same failure on which w: majority does."""
    _, observed = seen

    assert survives(observed, "w: majority").outcome == "proved"
    assert survives(observed, "w: 1").outcome == "refuted"


def test_calls_at_once_give_results_and_errors_in_order() -> None:
    """Each call's result or exception comes back in its place."""

    def fail() -> int:
        raise ValueError("no")

    first, second, third = at_once([lambda: 1, fail, lambda: 3])

    assert (first, third) == (1, 3) and isinstance(second, ValueError)
