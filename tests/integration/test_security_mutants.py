"""A design is broken part by part; what the attacks notice and what they do not is told apart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

import psycopg2
import pytest

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.naive import naive
from workbench.areas.security.design.hardening import hardened
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.intent.reading import example_intent
from workbench.areas.security.mutants import MutantRun, prove_mutants
from workbench.areas.security.mutants.proving import differences, snapshot
from workbench.areas.security.trial import security_place, with_surface
from workbench.areas.security.trial.model import Place, Target
from workbench.engines.postgres import Server
from workbench.errors import BadInput, EngineError
from workbench.source import Options, open_source

ORDERS = ("shop", "orders")


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[Place]:
    with open_source("ecommerce", server, Options(scale=0.01)) as opened, security_place(opened) as found:
        yield found


@pytest.fixture(scope="module")
def intent(place: Place) -> Intent:
    return with_surface(example_intent(place.catalog))


@pytest.fixture(scope="module")
def target(place: Place, intent: Intent) -> Iterator[Target]:
    with hardened(place, intent) as found:
        yield found


def counted(target: Target, role: str, identity: str | None, statement: str, expected: int) -> Attempt:
    """An attempt whose statement must return *expected* in its one column."""
    with contextlib.closing(target.connect(role, identity)) as conn:
        try:
            row, said = conn.execute(statement).fetchone(), ""
        except psycopg2.Error as exc:
            row, said = None, exc.pgcode or "?"
    seen = row[0] if row else None
    return Attempt(
        key=f"{role}: {statement}",
        group="probe",
        number="T",
        name="counted",
        role=role,
        identity="A" if identity else "",
        statement=statement,
        declared="allowed",
        observed="reached" if seen else "refused" if said else "nothing",
        as_declared=seen == expected,
        sqlstate=said,
        rows=seen,
    )


def own_orders_alone(target: Target) -> list[Attempt]:
    statement = "select count(distinct user_id)::integer from shop.orders"
    return [
        counted(target, "shop_app", target.identities.a, statement, 1),
        counted(target, "shop_app", None, statement, 0),
    ]


def of_orders(part: Part, mutation: Mutation) -> bool:
    return (
        part.kind in ("policy", "row security") and part.table == ORDERS and part.role in (None, "shop_app")
    )


def broken(target: Target, kind: str, mutation: Mutation) -> Target:
    """*target* with one part more, whose one mutation is *mutation*."""
    assert target.design is not None
    part = Part("grant", kind, "", "", mutations=(mutation,))
    return replace(target, design=replace(target.design, parts=(*target.design.parts, part)))


def run_one(target: Target, mutation: Mutation, attempts: Iterable[Attempt] = ()) -> MutantRun:
    changed = broken(target, "of the test", mutation)
    return prove_mutants(
        changed, lambda part, which: attempts, only=lambda part, which: part.object == "of the test"
    )


def test_a_broken_policy_is_noticed_by_the_attempt_that_it_lets_through(target: Target) -> None:
    """Row security off, or a policy with USING true: the other users' orders are seen, which kills."""
    run = prove_mutants(target, lambda part, mutation: own_orders_alone(target), only=of_orders)
    killed = {each.mutation for each in run.mutants if each.killed}
    assert {"row security disabled", "USING true", "policy dropped"} <= killed
    assert run.problems == () and run.unreliable == ()
    assert run.totals["killed"] + run.totals["survivors"] == run.totals["made"]


def test_attacks_that_do_not_look_let_every_mutant_live(target: Target) -> None:
    """Without an attempt nothing is noticed: the score is that of the attacks, not of the design."""
    run = prove_mutants(target, lambda part, mutation: [], only=of_orders)
    assert run.totals["killed"] == 0
    assert len(run.survivors) == run.totals["made"] > 3


def test_no_more_is_attacked_than_it_takes(target: Target) -> None:
    """The first attempt that is not as declared ends the attack on a mutant."""
    tried: list[str] = []

    def attack(part: Part | None, mutation: Mutation | None) -> Iterator[Attempt]:
        for each in own_orders_alone(target):
            if part is not None:
                tried.append(each.key)
            yield each

    run = prove_mutants(
        target, attack, only=lambda part, mutation: of_orders(part, mutation) and "disabled" in mutation.name
    )
    assert [(each.killed, each.attempts) for each in run.mutants] == [(True, 1)]
    assert len(tried) == 1


def test_what_was_wrong_before_kills_nobody(target: Target) -> None:
    """An attempt that fails on the whole design is unreliable: it says nothing of a mutant."""
    statement = "select count(distinct user_id)::integer from shop.orders"
    wrong = counted(target, "shop_app", target.identities.a, statement, 7)
    run = prove_mutants(target, lambda part, mutation: [wrong], only=of_orders)
    assert [each.key for each in run.unreliable] == [wrong.key]
    assert run.totals["killed"] == 0


def test_an_attack_that_comes_to_a_halt_has_noticed(target: Target) -> None:
    """What ran to its end before and cannot go on now kills, and says what stopped it."""

    def attack(part: Part | None, mutation: Mutation | None) -> Iterator[Attempt]:
        if part is not None:
            raise EngineError("no CONNECT privilege")
        yield from own_orders_alone(target)

    run = prove_mutants(target, attack, only=of_orders)
    assert run.survivors == ()
    assert {each.killed_by.detail for each in run.mutants if each.killed_by} == {"no CONNECT privilege"}


def test_a_mutation_that_changes_nothing_is_not_made(target: Target) -> None:
    """It is a problem of the design's, not a survivor."""
    run = run_one(target, Mutation("nothing", "select 1;", "select 1;"))
    assert run.totals == {"made": 0, "killed": 0, "survivors": 0}
    assert [each.problem for each in run.problems] == ["cannot be made: it changes nothing"]


def test_a_mutation_that_the_server_refuses_is_not_made(target: Target) -> None:
    """The server's words are kept."""
    run = run_one(target, Mutation("absent", "drop table shop.absent;", "select 1;"))
    assert [each.made for each in run.mutants] == [False]
    assert 'table "absent" does not exist' in run.problems[0].problem


def test_a_mend_that_leaves_something_is_told_and_the_design_put_back(target: Target) -> None:
    """What the mend forgot is named, and the next mutant meets the whole design again."""
    forgets = Mutation("not mended", "alter table shop.orders no force row level security;", "select 1;")
    with target.place.server.session(target.database) as conn:
        before = snapshot(conn)
        run = run_one(target, forgets)
        assert differences(before, snapshot(conn)) == []
    assert "not mended, the whole design was applied again: relation shop.orders" in run.problems[0].problem


def test_what_nothing_mends_ends_the_run(place: Place, intent: Intent) -> None:
    """A database that even the design does not bring back is not attacked any further."""
    with hardened(place, intent) as target, pytest.raises(EngineError, match="can be mended by nothing"):
        run_one(target, Mutation("left", "create table shop.left_behind (n integer);", "select 1;"))


def test_a_design_without_parts_has_no_mutants(place: Place, intent: Intent) -> None:
    """The naive design cannot be broken part by part: it has none."""
    with naive(place, intent) as target, pytest.raises(BadInput, match="naive design has no parts to break"):
        prove_mutants(target, lambda part, mutation: [])


def test_parts_without_a_mutation_are_listed(target: Target) -> None:
    """What was never broken is said, so that the score is not taken for more than it is; or why it is not."""
    assert target.design is not None
    part = Part("grant", "of the test", "", "")
    more = replace(target, design=replace(target.design, parts=(*target.design.parts, part)))
    run = prove_mutants(more, lambda part, mutation: [], only=lambda part, mutation: False)
    assert run.mutants == ()
    assert run.untried == ("grant of the test",)
    assert "membership deployer joins the owners: it lasts as long as the script runs" in run.spared


def test_a_mutation_is_made_by_whom_it_says(target: Target) -> None:
    """What no deployer may do is the superuser's, and mended by it."""
    bypass = Mutation("bypass", "alter role shop_app bypassrls;", "alter role shop_app nobypassrls;")
    assert "cannot be made" in run_one(target, bypass).problems[0].problem
    run = run_one(target, replace(bypass, by="superuser"))
    assert run.problems == () and run.totals["made"] == 1
