"""Chosen sets of indexes, judged by what the planner says once they are really built.

For each budget the advisor chooses on a clone of its own, and beside it the simple peer; then all sets are
built in one database, and planned with after one VACUUM ANALYZE.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from _optimization_built import MB, Built, Definitions, relative
from _optimization_peer import SingleColumns

from workbench.areas.optimization.advisor.advice import Advice, Objective
from workbench.areas.optimization.advisor.advise import advise
from workbench.engines.postgres import Connection, Server
from workbench.proof.whatif import statistics_clone
from workbench.proof.workload import Workload

SIMPLE = "single-column advisor by the sum of costs"
PEER = "single-column advisor"
OVERSHOOT, GAP = 2.0, 5.0  # percent
Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much an answer may take."""

    deadline_s: float = 60.0
    most_calls: int | None = None


@dataclass(frozen=True)
class Setting:
    """A workload, the sets asked for, and what the really built ones must come to, in percent.

    *limits* are by budget in MB of 10^6 bytes: the relative cost, None where the figure alone is told.
    *ahead* are the points by which the simple peer must be behind, the one that sums costs as advisors do,
    as far as the bound allows.
    """

    name: str
    workload: Workload
    objective: Objective
    limits: Mapping[float, float | None]
    settings: Mapping[str, str] = field(default_factory=dict)
    ahead: Mapping[float, float] = field(default_factory=dict)
    effort: Effort = Effort()
    has_peer: bool = True
    judges_gap: bool = True


@dataclass(frozen=True)
class Chosen:
    """A set for a budget; *elapsed_s* is the time of the answer, without the making of the clone."""

    budget_mb: float
    advice: Advice
    elapsed_s: float
    indexes: Definitions
    peer: Definitions
    simple: Definitions = ()


@dataclass(frozen=True)
class Judged:
    """A set that was built: its real size, and what the planner then says."""

    chosen: Chosen
    size_bytes: int
    relative_cost: float
    peer_size_bytes: int
    peer_relative_cost: float | None
    simple_relative_cost: float | None = None


def choose(server: Server, conn: Connection, setting: Setting, say: Say) -> list[Chosen]:
    """The set for each budget, each asked of a fresh clone."""
    found = []
    for name, value in setting.settings.items():
        conn.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])
    for budget_mb in setting.limits:
        budget = int(budget_mb * MB)
        say(f"{setting.name}: choosing for {budget_mb:g} MB")
        with statistics_clone(conn, server, sample=conn) as clone:
            began = time.perf_counter()
            advice = advise(
                clone,
                setting.workload,
                budget_bytes=budget,
                objective=setting.objective,
                deadline_s=setting.effort.deadline_s,
                most_calls=setting.effort.most_calls,
            )
            elapsed_s = time.perf_counter() - began
        if advice.unread:
            raise RuntimeError(f"{advice.unread[0].name}: {advice.unread[0].reason}")
        peer: Definitions = ()
        simple: Definitions = ()
        if setting.has_peer:
            say(f"{setting.name}: the {PEER} for {budget_mb:g} MB")
            with statistics_clone(conn, server, sample=conn) as clone:
                peer = SingleColumns(clone, setting.workload, setting.objective).within(budget)
                if budget_mb in setting.ahead:
                    simple = SingleColumns(clone, setting.workload, "total").within(budget)
        indexes = tuple(each.index.definition for each in advice.recommended)
        found.append(Chosen(budget_mb, advice, elapsed_s, indexes, peer, simple))
    return found


def build_all(conn: Connection, chosen: Sequence[Chosen], say: Say) -> Built:
    """All indexes of all sets, built and hidden."""
    built = Built(conn)
    wanted = list(
        dict.fromkeys(index for each in chosen for index in (*each.indexes, *each.peer, *each.simple))
    )
    for number, definition in enumerate(wanted, 1):
        say(f"building index {number} of {len(wanted)}")
        built.build(definition)
    say("VACUUM ANALYZE")
    built.settle()
    return built


def judge(built: Built, setting: Setting, chosen: Sequence[Chosen]) -> list[Judged]:
    """What the planner says of each set."""
    statements = setting.workload.statements
    weights = [each.weight for each in statements]

    def costs(indexes: Definitions) -> list[float]:
        return [plan.total_cost for plan in built.plans(statements, indexes, setting.settings)]

    before = costs(())
    return [
        Judged(
            each,
            built.size_bytes(each.indexes),
            relative(before, costs(each.indexes), weights, setting.objective),
            built.size_bytes(each.peer),
            relative(before, costs(each.peer), weights, setting.objective) if setting.has_peer else None,
            relative(before, costs(each.simple), weights, setting.objective)
            if each.budget_mb in setting.ahead
            else None,
        )
        for each in chosen
    ]


def rows(setting: Setting, judged: Sequence[Judged]) -> list[Row]:
    """The benchmark's rows, three or four a budget."""
    return [row for each in judged for row in _of_budget(setting, each)]


def _of_budget(setting: Setting, judged: Judged) -> list[Row]:
    budget_mb, advice = judged.chosen.budget_mb, judged.chosen.advice
    what = f"{setting.name}, {budget_mb:g} MB"
    value = 100 * judged.relative_cost
    limit = setting.limits[budget_mb]
    peer = None if judged.peer_relative_cost is None else 100 * judged.peer_relative_cost
    over = 100 * (judged.size_bytes / (budget_mb * MB) - 1)
    gap, predicted = 100 * advice.gap, 100 * advice.relative_cost
    found = [
        row(
            f"{what}: cost with {len(judged.chosen.indexes)} built indexes, predicted {predicted:.1f}",
            value,
            "% of without",
            limit,
            peer=PEER if peer is not None else "",
            peer_value=peer,
        ),
        row(f"{what}: built size over the budget, {judged.size_bytes / MB:.1f} MB", over, "%", OVERSHOOT),
        row(
            f"{what}: distance to the bound, {advice.candidates} candidates, "
            f"{advice.whatif_calls:,} calls, {judged.chosen.elapsed_s:.1f} s",
            gap,
            "%",
            GAP if setting.judges_gap else None,
        ),
    ]
    if judged.simple_relative_cost is not None:
        simple = 100 * judged.simple_relative_cost
        # no set is below the bound, so more than that cannot be asked of one
        ahead = min(setting.ahead[budget_mb], simple - (1 + GAP / 100) * 100 * advice.bound)
        found.append(
            row(
                f"{what}: points below the {SIMPLE}, at least {setting.ahead[budget_mb]:g} or what the "
                f"bound of {100 * advice.bound:.1f} leaves",
                simple - value,
                "points",
                round(ahead, 2),
                peer=SIMPLE,
                peer_value=simple,
                ok=simple - value >= ahead,
            )
        )
    return found


def effort_rows(setting: Setting, judged: Judged, *, limit_s: float | None, most_calls: int) -> list[Row]:
    """What an answer in little time took, and what it is worth."""
    budget_mb, advice = judged.chosen.budget_mb, judged.chosen.advice
    what = f"{setting.name}, {budget_mb:g} MB, in little time"
    return [
        row(
            f"{what}: seconds of the search, and {advice.sampled_s:.1f} for samples",
            advice.elapsed_s,
            "s",
            limit_s,
        ),
        row(f"{what}: planner calls", advice.whatif_calls, "calls", most_calls),
        row(
            f"{what}: cost with the built indexes",
            100 * judged.relative_cost,
            "% of without",
            setting.limits[budget_mb],
        ),
        row(
            f"{what}: built size over the budget",
            100 * (judged.size_bytes / (budget_mb * MB) - 1),
            "%",
            OVERSHOOT,
        ),
    ]


def row(
    benchmark: str,
    value: float,
    unit: str,
    limit: float | None,
    *,
    peer: str = "",
    peer_value: float | None = None,
    ok: bool | None = None,
) -> Row:
    """A row in the common format; with a limit the value must not be above it, unless *ok* says so."""
    return {
        "benchmark": benchmark,
        "value": round(value, 2),
        "unit": unit,
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 2),
        "ratio": round(value / peer_value, 2) if peer_value else None,
        "limit": limit,
        "ok": (limit is None or value <= limit) if ok is None else ok,
    }
