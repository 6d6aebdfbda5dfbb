"""The time that statements really take: without, with the chosen set, with the peer's, in turns in one run.

A statement whose plan is the same in two sets is timed once for both. One that reaches the limit is not run
again, and counts as the limit: the figures with it are at least what they say.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from _optimization_built import Built, Definitions, look_in, text
from _optimization_sets import PEER, Row, row
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from workbench.engines.postgres import Connection
from workbench.proof.workload import Statement

SLOWER = 1.2
_LEAST_MS = 5.0  # below it, a difference is noise
Sets = Mapping[str, Definitions]


@dataclass(frozen=True)
class Timed:
    """The median times of one statement in ms by set, and the sets in which it reached the limit."""

    statement: Statement
    median_ms: Mapping[str, float]
    unfinished: tuple[str, ...]


def measure(
    built: Built,
    statements: Sequence[Statement],
    sets: Sets,
    settings: Mapping[str, str],
    *,
    limit_s: float = 20.0,
    rounds: int = 3,
    say: Callable[[str], None],
) -> list[Timed]:
    """Run the statements that read, *rounds* times each, every set in turn."""
    found = []
    shapes = {name: built.plans(statements, indexes, settings) for name, indexes in sets.items()}
    for place, statement in enumerate(statements):
        if not statement.reads_only:
            continue
        say(f"running {statement.name}")
        same: dict[str, str] = {}  # a set → the first one with this plan
        for name in sets:
            plan = _plan(shapes[name][place].root)
            same[name] = next(each for each in sets if _plan(shapes[each][place].root) == plan)
        times: dict[str, list[float]] = {name: [] for name in dict.fromkeys(same.values())}
        unfinished = set()
        names = list(times)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                if name in unfinished:
                    continue
                elapsed_ms = _run(built, statement, sets[name], settings, limit_s)
                if elapsed_ms is None:
                    unfinished.add(name)
                times[name].append(limit_s * 1000 if elapsed_ms is None else elapsed_ms)
        medians = {
            name: limit_s * 1000 if first in unfinished else statistics.median(times[first])
            for name, first in same.items()
        }
        found.append(Timed(statement, medians, tuple(n for n, first in same.items() if first in unfinished)))
    return found


def _plan(node: Mapping[str, Any]) -> tuple[Any, ...]:
    """What decides how a plan runs."""
    conditions = tuple(str(node[key]) for key in sorted(node) if key.endswith(("Cond", "Filter", "Key")))
    return (
        node["Node Type"],
        node.get("Relation Name"),
        node.get("Index Name"),
        conditions,
        *(_plan(child) for child in node.get("Plans", ())),
    )


def _run(
    built: Built, statement: Statement, indexes: Definitions, settings: Mapping[str, str], limit_s: float
) -> float | None:
    """The time of one run in ms, None where it reached the limit. What it plans with is looked up before."""
    conn: Connection = built.conn
    query = text(statement)
    limited = {**settings, "statement_timeout": f"{int(limit_s * 1000)}ms"}
    try:
        with built.showing(indexes, limited):
            look_in(conn, statement)
            conn.execute("explain " + query)
            began = time.perf_counter()
            conn.execute(query).fetchall()
            return (time.perf_counter() - began) * 1000
    except psycopg2.errors.QueryCanceled:
        if conn.info.transaction_status != TRANSACTION_STATUS_IDLE:  # the cancel met the rollback itself
            conn.execute("rollback")
        return None


def rows(what: str, timed: Sequence[Timed], *, limit: float | None) -> list[Row]:
    """The sum and the geometric mean with the chosen set, as parts of those without; who is slower.

    *limit* is the highest sum in percent; *timed* has the sets without, with, and the peer's.
    """
    with_it, peer = _relative(timed, "with"), _relative(timed, "peer")
    unfinished = _unfinished(timed)
    slower = [
        f"{each.statement.name} {each.median_ms['with'] / each.median_ms['without']:.2f}"
        for each in timed
        if each.median_ms["with"] >= SLOWER * each.median_ms["without"]
        and each.median_ms["with"] - each.median_ms["without"] >= _LEAST_MS
    ]
    total_s = sum(each.median_ms["without"] for each in timed) / 1000
    return [
        row(
            f"{what}: run time of {len(timed)} statements, sum, {total_s:.1f} s without{unfinished}",
            with_it[0],
            "% of without",
            limit,
            peer=PEER,
            peer_value=peer[0],
        ),
        row(
            f"{what}: run time, geometric mean{unfinished}",
            with_it[1],
            "% of without",
            limit,
            peer=PEER,
            peer_value=peer[1],
        ),
        row(
            f"{what}: statements {SLOWER} times slower with it",
            len(slower),
            "statements",
            None,
            peer="; ".join(slower),
        ),
    ]


def _relative(timed: Sequence[Timed], name: str) -> tuple[float, float]:
    weights = [each.statement.weight for each in timed]
    before = [each.median_ms["without"] for each in timed]
    after = [each.median_ms[name] for each in timed]
    logs = [w * math.log(a / b) for w, a, b in zip(weights, after, before, strict=True)]
    return 100 * sum(w * a for w, a in zip(weights, after, strict=True)) / sum(
        w * b for w, b in zip(weights, before, strict=True)
    ), 100 * math.exp(sum(logs) / sum(weights))


def _unfinished(timed: Sequence[Timed]) -> str:
    told = {
        name: [each.statement.name for each in timed if name in each.unfinished]
        for name in ("without", "with", "peer")
    }
    said = [f"{', '.join(names)} {name}" for name, names in told.items() if names]
    return f" (stopped at the limit: {'; '.join(said)})" if said else ""
