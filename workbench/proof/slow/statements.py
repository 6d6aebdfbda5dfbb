"""The slow statements of a workload: ranked by their part of the whole, explained, and what would help."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psycopg2
from psycopg2 import errors

from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.slow.diagnosis import diagnose
from workbench.proof.slow.model import Basis, Explained, Outcome, SlowStatement
from workbench.proof.slow.rewrite_proof import NO_ROWS, rewrites_of
from workbench.proof.slow.running import as_explained, explained, failure
from workbench.proof.slow.structure import Structure, read_structure
from workbench.proof.slow.trials import refuted, try_remedies
from workbench.proof.trials.database import RowsFrom, trial_database
from workbench.proof.workload.model import Statement, Workload
from workbench.source import OpenSource

_RUN_FOR_EACH = 3  # statements run for each that is asked for: estimates choose only roughly
_NOT_ASKED = "it was planned, not run: a named database's statements are run only when asked"


@dataclass
class _Seen:
    """A statement while it is being ranked."""

    statement: Statement
    outcome: Outcome = "planned"
    explained: Explained | None = None
    note: str = ""
    waited_ms: float | None = field(default=None)

    @property
    def mean_ms(self) -> float | None:
        """The server's own mean, else the time of the run, else what was waited at least."""
        if self.statement.observed:
            return self.statement.observed.mean_ms
        ran = self.explained.plan.execution_ms if self.explained else None
        return ran if ran is not None else self.waited_ms

    @property
    def cost(self) -> float:
        return self.explained.plan.total_cost if self.explained else 0.0

    def total(self, basis: Basis) -> float:
        if basis == "observed":
            return self.statement.observed.total_ms if self.statement.observed else 0.0
        return self.statement.weight * (self.cost if basis == "estimated" else self.mean_ms or 0.0)


def slow_statements(
    opened: OpenSource,
    workload: Workload,
    *,
    most: int = 10,
    execute: bool | None = None,
    timeout_s: float = 30,
    limit_s: float = 600,
    prove: bool = True,
    rows: RowsFrom | None = None,
) -> list[SlowStatement]:
    """The *most* slow statements of *workload*, by their part of its total time, the slowest first.

    On a source of ours statements are run on a scratch copy, and with *prove* remedies and rewrites are tried
    there. A named database is only asked for plans; with *execute* its reading statements are run as well,
    within *timeout_s* each, in a read-only transaction; nothing is tried on it. With *rows* "copied" or
    "generated" there is a copy with rows to try on, see `trial_database`. What does not end is listed with
    its plan alone, what cannot be planned behind the others. After *limit_s* nothing more is run or proved.

    Raises BadInput for numbers that cannot be.
    """
    if most < 1 or timeout_s <= 0 or limit_s <= 0:
        raise BadInput("most, timeout_s and limit_s must be above 0")
    deadline = time.monotonic() + limit_s
    run = execute if execute is not None else not opened.read_only
    prove = prove and execute is not False
    with _places(opened, rows) as places:
        conn = places.asked
        structure = read_structure(conn)
        seen = [_planned(conn, each, timeout_s, deadline) for each in workload.statements]
        candidates = sorted(seen, key=lambda each: -_first_guess(each))[: _RUN_FOR_EACH * most]
        if run:
            _run_all(conn, opened, candidates, timeout_s, deadline)
        ranked = _ranked(seen, most)
        return [
            _examined(places, opened, structure, each, prove=prove, timeout_s=timeout_s, deadline=deadline)
            for each in ranked
        ]


@dataclass(frozen=True)
class _Places:
    """Where statements are explained, and where things are tried; None where there are no rows to try on."""

    asked: Connection
    tried: Connection | None
    rows_from: str = ""


@contextmanager
def _places(opened: OpenSource, rows: RowsFrom | None) -> Iterator[_Places]:
    """A named database is asked itself; otherwise, and for trials, there is a copy that may be changed."""
    if opened.read_only and rows is None:
        yield _Places(opened.connection, None)
        return
    with trial_database(opened, rows or "own") as trial:
        asked = opened.connection if opened.read_only else trial.connection
        yield _Places(asked, trial.connection, trial.rows_from)


# planned and run


def _planned(conn: Connection, statement: Statement, timeout_s: float, deadline: float) -> _Seen:
    if time.monotonic() > deadline:
        return _Seen(statement, "failed", note="the time limit was reached before it was planned")
    try:
        return _Seen(
            statement, explained=explained(conn, statement, timeout_s=timeout_s), note=_why_planned(statement)
        )
    except BadInput as exc:
        return _Seen(statement, "failed", note=str(exc))
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return _Seen(statement, "failed", note=f"it cannot be planned: {failure(exc)}")


def _why_planned(statement: Statement) -> str:
    if statement.values is None:
        return "no values are known for its parameters: it was planned for any, not run"
    return ""


def _first_guess(each: _Seen) -> float:
    observed = each.statement.observed
    return observed.total_ms * 1e6 if observed else each.statement.weight * each.cost


def _run_all(
    conn: Connection, opened: OpenSource, candidates: Sequence[_Seen], timeout_s: float, deadline: float
) -> None:
    """Run what can be run: those that write last, for what they leave behind slows the others."""
    for each in sorted(candidates, key=lambda one: not one.statement.reads_only):
        if each.outcome == "failed" or each.statement.values is None:
            continue
        if opened.read_only and not each.statement.reads_only:
            each.note = "it writes, so it was not run on a database that is only read"
        elif time.monotonic() > deadline:
            each.note = "the time limit was reached before it was run"
        else:
            _run(conn, each, min(timeout_s, max(deadline - time.monotonic(), 0.1)))


def _run(conn: Connection, each: _Seen, timeout_s: float) -> None:
    started = time.monotonic()
    try:
        each.explained = explained(conn, each.statement, run=True, timeout_s=timeout_s)
        each.outcome = "run"
    except errors.QueryCanceled:
        each.outcome, each.waited_ms = "timed out", (time.monotonic() - started) * 1000
        each.note = f"it did not end within {timeout_s:g} s: its plan is the planner's, without times"
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        each.note = f"it was planned, and could not be run: {failure(exc)}"


# ranked


def _basis(seen: Sequence[_Seen]) -> Basis:
    """What all statements can be compared by."""
    able = [each for each in seen if each.outcome != "failed"]
    if able and all(each.statement.observed for each in able):
        return "observed"
    return "estimated" if any(each.mean_ms is None for each in able) else "measured"


def _ranked(seen: Sequence[_Seen], most: int) -> list[SlowStatement]:
    """The slowest first with their shares; those that could not be planned behind them.

    Where only the costliest were run, the others count by their estimated cost at the measured rate.
    """
    basis = _basis(seen)
    rate = _ms_for_cost(seen) if basis == "estimated" else None
    totals: dict[int, float] = {}
    for each in seen:
        if rate is not None and each.outcome != "failed":
            mean = each.mean_ms if each.mean_ms is not None else each.cost * rate
            totals[id(each)] = each.statement.weight * mean
        else:
            totals[id(each)] = each.total(basis)
    if rate is not None:
        basis = "measured"
    whole = sum(totals.values()) or 1.0
    able = sorted(
        (each for each in seen if each.outcome != "failed"),
        # what was cheap enough by its estimate not to be run stands behind what was
        key=lambda each: (
            rate is not None and each.outcome == "planned" and not each.note,
            -totals[id(each)],
            each.statement.name,
        ),
    )
    failed = [each for each in seen if each.outcome == "failed"]
    return [_as_fact(each, totals[id(each)] / whole, basis) for each in [*able[:most], *failed[:most]]]


def _ms_for_cost(seen: Sequence[_Seen]) -> float | None:
    """The time that a unit of cost took in the statements that were run; None where none was."""
    ran = [each for each in seen if each.outcome == "run" and not each.statement.observed]
    cost = sum(each.cost for each in ran)
    return sum(each.mean_ms or 0.0 for each in ran) / cost if cost else None


def _as_fact(each: _Seen, share: float, basis: Basis) -> SlowStatement:
    observed = each.statement.observed
    mean = each.mean_ms
    root: Mapping[str, object] = each.explained.plan.root if each.explained else {}

    def per_call(blocks: int | None, title: str) -> float | None:
        if observed and blocks is not None:
            return blocks / max(observed.calls, 1)
        return float(str(root[title])) if title in root else None

    return SlowStatement(
        each.statement,
        share,
        basis,
        each.outcome,
        mean_ms=mean,
        total_ms=observed.total_ms
        if observed
        else each.statement.weight * mean
        if mean is not None
        else None,
        blocks_read=per_call(observed.blocks_read if observed else None, "Shared Read Blocks"),
        blocks_hit=per_call(observed.blocks_hit if observed else None, "Shared Hit Blocks"),
        temp_blocks=per_call(observed.temp_blocks_written if observed else None, "Temp Written Blocks"),
        explained=_as_observed(each),
        note=each.note,
    )


def _as_observed(each: _Seen) -> Explained | None:
    """The plan of the run, else the one that a log holds, else the planner's."""
    observed = each.statement.observed
    if each.outcome != "run" and observed and observed.plan and "Plan" in observed.plan:
        return as_explained(observed.plan)
    return each.explained


# examined


def _examined(
    places: _Places,
    opened: OpenSource,
    structure: Structure,
    slow: SlowStatement,
    *,
    prove: bool,
    timeout_s: float,
    deadline: float,
) -> SlowStatement:
    """The statement with its reasons, and what was proved of its remedies and rewrites."""
    if slow.explained is None:
        return slow
    note = slow.note or (_NOT_ASKED if opened.read_only and slow.outcome == "planned" else "")
    reasons = diagnose(places.asked, slow.statement, slow.explained, structure)
    there = places.tried if prove else None
    if there:
        ended = slow.outcome != "timed out"
        reasons = try_remedies(
            there, slow.statement, reasons, timeout_s=timeout_s, deadline=deadline, ended=ended
        )
    wrong = [each for each in reasons if refuted(each)]
    rewrites = rewrites_of(
        there or places.asked,
        slow.statement,
        structure,
        timeout_s=timeout_s,
        deadline=deadline,
        helping=[each.remedy for each in reasons if each.remedy and each.tried and each.tried.helped],
        not_here="" if there else NO_ROWS if opened.read_only and prove else "nothing was to be tried",
    )
    if any(each.verdict == "accepted" and each.kind == "function_to_range" for each in rewrites):
        wrong = [each for each in wrong if each.kind != "non_sargable"]  # the rewrite shows that it is one
    return replace(
        slow,
        reasons=tuple(each for each in reasons if each not in wrong),
        refuted=tuple(wrong),
        rewrites=tuple(rewrites),
        rows_from=places.rows_from if there else "",
        note=note,
    )
