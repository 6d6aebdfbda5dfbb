"""Remedies tried on a copy with rows: the statement run before and after, and all rolled back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2 import errors

from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.slow.model import Explained, NodeTime, Reason, Remedy, Tried
from workbench.proof.slow.plan_reasons import on_disk_kb
from workbench.proof.slow.running import explain_text, failure, limited, text_with_values
from workbench.proof.workload.model import Statement

_DECIDED = frozenset(
    ("discarding_scan", "leading_wildcard", "like_collation", "large_nested_loop", "jit_time", "non_sargable")
)  # without a gain they are no reason
_FASTER = 0.8  # of the time before: less of a gain can be chance
_CLOSER = 3.0  # times nearer to the rows that came
_MEMORY_STEPS = 4  # of twice the memory each, until all fits


def try_remedies(
    conn: Connection,
    statement: Statement,
    reasons: Sequence[Reason],
    *,
    timeout_s: float,
    deadline: float,
    ended: bool = True,
) -> Sequence[Reason]:
    """*reasons*, each with what became of its remedy on the copy behind *conn*, where it has one.

    What must not be in a transaction (VACUUM) stays done on the copy. After *deadline* none is tried. Of a
    statement that has not *ended*, a remedy is to make it end.
    """
    if statement.values is None or not any(each.remedy for each in reasons):
        return reasons
    if not ended:
        return [
            _ends(conn, statement, each, timeout_s) if time.monotonic() < deadline else each
            for each in reasons
        ]
    try:
        before = _best(conn, statement, Remedy(), timeout_s)
    except (psycopg2.Error, BadInput):
        if conn.closed:
            raise
        return reasons
    found = [
        _tried(conn, statement, each, before, timeout_s) if time.monotonic() < deadline else each
        for each in reasons
    ]
    return [replace(each, fix="") if each.tried and not each.tried.helped else each for each in found]


def _ends(conn: Connection, statement: Statement, reason: Reason, timeout_s: float) -> Reason:
    """Whether the statement ends within its time, with the remedy."""
    if reason.remedy is None or reason.remedy.outside:
        return reason
    text = text_with_values(statement)
    try:
        with limited(conn, statement, timeout_s, reason.remedy.settings):
            for each in reason.remedy.statements:
                conn.execute(each)
            after = explain_text(conn, text, run=True)
    except errors.QueryCanceled:
        return replace(reason, tried=Tried(False, f"with it, it does not end within {timeout_s:g} s either"))
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(reason, tried=Tried(False, f"it was tried and refused: {failure(exc)}"))
    after_ms = after.plan.execution_ms or 0.0
    facts = {"waited_ms": timeout_s * 1000, "after_ms": round(after_ms, 3)}
    said = f"it helps: {after_ms:,.1f} ms, where it did not end within {timeout_s:g} s"
    return replace(reason, tried=Tried(True, said, facts, after=after))


def refuted(reason: Reason) -> bool:
    """Whether the trial showed that the statement is not slow for this reason."""
    return (
        reason.kind in _DECIDED
        and reason.tried is not None
        and not reason.tried.helped
        and bool(reason.tried.facts)
    )


def _tried(
    conn: Connection, statement: Statement, reason: Reason, before: Explained, timeout_s: float
) -> Reason:
    if reason.remedy is None:
        return reason
    try:
        if reason.kind in ("spill", "lossy_bitmap"):
            return _with_memory(conn, statement, reason, before, timeout_s)
        for each in reason.remedy.outside:
            conn.execute(each)
        after = _best(conn, statement, reason.remedy, timeout_s)
    except psycopg2.Error as exc:
        if conn.closed:
            raise
        return replace(reason, tried=Tried(False, f"it was tried and refused: {failure(exc)}"))
    except BadInput as exc:
        return replace(reason, tried=Tried(False, str(exc)))
    return replace(reason, tried=_judged(reason, before, after))


def _best(conn: Connection, statement: Statement, remedy: Remedy, timeout_s: float) -> Explained:
    """The faster of two runs under *remedy*: the first one may have had to read what the second found."""
    text = text_with_values(statement)
    with limited(conn, statement, timeout_s, remedy.settings):
        for each in remedy.statements:
            conn.execute(each)
        runs = [explain_text(conn, text, run=True)]
        if (runs[0].plan.execution_ms or 0.0) < timeout_s * 300:
            runs.append(explain_text(conn, text, run=True))
    return min(runs, key=lambda each: each.plan.execution_ms or 0.0)


def _with_memory(
    conn: Connection, statement: Statement, reason: Reason, before: Explained, timeout_s: float
) -> Reason:
    """Twice the memory until nothing of the kind goes to disk any more; the fix is what was enough."""
    remedy = reason.remedy or Remedy()
    size_mb = int(remedy.settings["work_mem"].removesuffix("MB"))
    for _ in range(_MEMORY_STEPS):
        given = {"work_mem": f"{size_mb}MB"}
        after = _best(conn, statement, replace(remedy, settings=given), timeout_s)
        if not _wants_memory(after, reason.kind):
            facts = _times(before, after) | {"work_mem": given["work_mem"]}
            faster = facts["after_ms"] <= _FASTER * facts["before_ms"]
            effect = "all fits" if faster else "all fits, and it is not faster"
            return replace(
                reason,
                facts={**reason.facts, "work_mem_needed_kb": size_mb * 1024},
                fix=f"set work_mem = '{given['work_mem']}';  -- in the session or for the role, not for all",
                tried=Tried(
                    faster,
                    f"with work_mem {given['work_mem']} {effect}: {_told(facts)}",
                    facts,
                    before,
                    after,
                ),
            )
        size_mb *= 2
    return replace(
        reason,
        tried=Tried(
            False, f"work_mem {size_mb // 2}MB is not enough either", _times(before, after), before, after
        ),
    )


def _wants_memory(found: Explained, kind: str) -> bool:
    if kind == "lossy_bitmap":
        return any(int(each.node.get("Lossy Heap Blocks", 0)) for each in found.nodes)
    return any(on_disk_kb(each.node) for each in found.nodes)


def _judged(reason: Reason, before: Explained, after: Explained) -> Tried:
    facts = _times(before, after)
    if reason.kind in ("misestimate", "missing_statistics"):
        return _estimate_judged(reason, before, after, facts)
    faster = facts["after_ms"] <= _FASTER * facts["before_ms"]
    if reason.kind == "heap_fetches":
        fetched = sum(float(each.node.get("Heap Fetches", 0)) for each in after.nodes)
        done = fetched < 0.1 * float(reason.facts["heap_fetches"])
        facts = facts | {"heap_fetches_after": fetched}
        return Tried(done, f"{fetched:,.0f} rows are fetched after it: {_told(facts)}", facts, before, after)
    word = "helps" if faster else "does not help"
    return Tried(faster, f"it {word}: {_told(facts)}", facts, before, after)


def _estimate_judged(reason: Reason, before: Explained, after: Explained, facts: Mapping[str, Any]) -> Tried:
    """Whether the node that was off is estimated closer than before."""
    label = str(reason.facts["node"])
    was, now = _worst(before.nodes, label), _worst(after.nodes, label)
    if was is None or now is None:
        # another plan was chosen: the estimate of the whole is what can be compared
        was, now = before.nodes[0], after.nodes[0]
    was_off, now_off = was.factor or 1.0, now.factor or 1.0
    found = {**facts, "factor_before": round(was_off, 1), "factor_after": round(now_off, 1)}
    closer = now_off <= was_off / _CLOSER
    word = "it is" if closer else "it does not help: it is"
    return Tried(
        closer,
        f"{word} {now_off:,.1f} times off instead of {was_off:,.1f}: {_told(found)}",
        found,
        before,
        after,
    )


def _worst(nodes: Sequence[NodeTime], label: str) -> NodeTime | None:
    found = [each for each in nodes if each.label == label and each.factor is not None]
    return max(found, key=lambda each: each.factor or 0.0, default=None)


def _times(before: Explained, after: Explained) -> dict[str, Any]:
    return {
        "before_ms": round(before.plan.execution_ms or 0.0, 3),
        "after_ms": round(after.plan.execution_ms or 0.0, 3),
    }


def _told(facts: Mapping[str, Any]) -> str:
    return f"{facts['after_ms']:,.1f} ms instead of {facts['before_ms']:,.1f} ms"
