"""Slow statements as findings: one for each check and object, with the statements as evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.catalog.model import quoted
from workbench.proof.findings import Evidence, Finding, Severity
from workbench.proof.slow.model import Explained, Reason, Rewrite, SlowStatement
from workbench.proof.slow.timing import node_type
from workbench.source import OpenSource

AREA = "optimization"
MUCH = 0.05  # of a workload's time: a statement with more is worth a warning
_LINES = 60  # of a plan in the evidence
SOURCES: Mapping[str, str] = {
    "non_sargable": "PostgreSQL manual, 11.7 Indexes on Expressions",
    "implicit_cast": "PostgreSQL manual, 10.2 Operators",
    "leading_wildcard": "PostgreSQL manual, 11.2.1 B-Tree",
    "like_collation": "PostgreSQL manual, 11.10 Operator Classes and Operator Families",
    "missing_statistics": "PostgreSQL manual, 14.2 Statistics Used by the Planner",
    "misestimate": "PostgreSQL manual, 14.2.2 Extended Statistics",
    "spill": "PostgreSQL manual, 19.4.1 Memory",
    "large_nested_loop": "PostgreSQL manual, Planner/Optimizer",
    "discarding_scan": "PostgreSQL manual, 14.1 Using EXPLAIN",
    "filtering_index_scan": "PostgreSQL manual, 11.3 Multicolumn Indexes",
    "lossy_bitmap": "PostgreSQL manual, 14.1 Using EXPLAIN",
    "heap_fetches": "PostgreSQL manual, 11.9 Index-Only Scans and Covering Indexes",
    "correlated_subquery": "PostgreSQL manual, 14.1 Using EXPLAIN",
    "or_across_columns": "PostgreSQL manual, 11.5 Combining Multiple Indexes",
    "or_across_tables": "PostgreSQL manual, 11.5 Combining Multiple Indexes",
    "no_pruning": "PostgreSQL manual, 5.12.4 Partition Pruning",
    "not_parallel": "PostgreSQL manual, 15.4 Parallel Safety",
    "offset_paging": "PostgreSQL manual, 7.6 LIMIT and OFFSET",
    "not_in_nullable": "PostgreSQL manual, 9.24.3 NOT IN",
    "select_star": "PostgreSQL manual, TOAST",
    "distinct_over_join": "PostgreSQL manual, 7.3.3 Select-List Items, DISTINCT",
    "count_for_existence": "PostgreSQL manual, 9.24.1 EXISTS",
    "cartesian_product": "PostgreSQL manual, 7.2.1 The FROM Clause",
    "materialized_cte": "PostgreSQL manual, 7.8.3 Common Table Expression Materialization",
    "jit_time": "PostgreSQL manual, When to JIT",
    "planning_time": "PostgreSQL manual, PREPARE",
    "trigger_time": "PostgreSQL manual, 14.1.2 EXPLAIN ANALYZE",
    "endless": "PostgreSQL manual, 14.1 Using EXPLAIN",
    "rewrite": "PostgreSQL manual, 14.1 Using EXPLAIN",
}
PAGES = tuple(f"docs/checks/optimization_slow_{kind}.md" for kind in SOURCES)
_ANSWERS: Mapping[str, Sequence[str]] = {  # the rewrites that answer a reason
    "non_sargable": ("function_to_range",),
    "no_pruning": ("function_to_range",),
    "implicit_cast": ("implicit_cast",),
    "offset_paging": ("offset_to_keyset",),
    "count_for_existence": ("count_to_exists",),
    "or_across_columns": ("or_to_union",),
    "distinct_over_join": ("distinct_to_exists",),
    "materialized_cte": ("inline_cte",),
    "correlated_subquery": ("aggregate_once", "count_to_exists"),
}


@dataclass(frozen=True)
class _Shown:
    """A reason with the statement that shows it, and the proved rewrite that answers it, if any."""

    slow: SlowStatement
    reason: Reason
    answer: Rewrite | None


def slow_findings(found: Iterable[SlowStatement], opened: OpenSource) -> list[Finding]:
    """The findings of slow statements: by check and object, the statements with the largest share first.

    Verified is what was tried and helped: a remedy, or a rewrite with equal results. What a trial refuted is
    no finding.
    """
    shown: dict[tuple[str, str], list[_Shown]] = {}
    for slow in found:
        for each in _shown(slow):
            shown.setdefault((each.reason.kind, _object(each)), []).append(each)
    return [_finding(kind, name, each, opened) for (kind, name), each in shown.items()]


def _shown(slow: SlowStatement) -> Iterator[_Shown]:
    accepted = [each for each in slow.rewrites if each.verdict == "accepted"]
    answered: list[Rewrite] = []
    if slow.outcome == "timed out":
        yield _Shown(slow, Reason("endless", None, slow.note), max(accepted, key=_gain, default=None))
    for reason in slow.reasons:
        answers = [each for each in accepted if each.kind in _ANSWERS.get(reason.kind, ())]
        best = max(answers, key=_gain, default=None)
        answered += answers
        yield _Shown(slow, reason, best)
    for rewrite in accepted:
        if rewrite not in answered:
            yield _Shown(slow, Reason("rewrite", None, rewrite.summary), rewrite)


def _gain(rewrite: Rewrite) -> float:
    return rewrite.ratio or 0.0


def _object(each: _Shown) -> str:
    """The table or column a reason is about; the statement where it is about nothing of the schema."""
    reason = each.reason
    about_schema = reason.object and "." in reason.object and " " not in reason.object.replace('"', "")
    return reason.object if about_schema else quoted(each.slow.statement.name)


def _finding(kind: str, name: str, shown: Sequence[_Shown], opened: OpenSource) -> Finding:
    first = shown[0]
    share = sum({each.slow.statement.name: each.slow.share for each in shown}.values())
    proved = [each for each in shown if each.answer or (each.reason.tried and each.reason.tried.helped)]
    best = proved[0] if proved else first
    severity: Severity = "warn" if share >= MUCH and kind not in ("select_star", "planning_time") else "info"
    names = ", ".join(dict.fromkeys(quoted(each.slow.statement.name) for each in shown))
    return Finding(
        AREA,
        f"slow_{kind}",
        severity,
        name,
        _sentence(first.reason.summary),
        f"{names}: {share:.1%} of the {first.slow.basis} "
        f"{'cost' if first.slow.basis == 'estimated' else 'time'} of the workload. "
        f"{f'{first.reason.advice} ' if first.reason.advice else ''}{SOURCES[kind]}.",
        _fix(best),
        verified=bool(proved),
        unverified_because="" if proved else _why_not(first, opened),
        evidence=tuple(_evidence(each, opened) for each in shown[:5]),
    )


def _fix(each: _Shown) -> str:
    if each.answer:
        caveat = f"-- {each.answer.caveat}\n" if each.answer.caveat else ""
        return f"{caveat}{each.answer.sql};"
    return each.reason.fix or (f"-- {each.reason.advice}" if each.reason.advice else "")


def _why_not(each: _Shown, opened: OpenSource) -> str:
    """Why the first statement's remedy is not proved, in one line."""
    if each.reason.tried:
        return each.reason.tried.summary
    if each.slow.outcome == "timed out":
        return "the statement does not end, so nothing could be compared with it"
    listed = [one for one in each.slow.rewrites if one.kind in _ANSWERS.get(each.reason.kind, ())]
    if listed:
        return listed[0].why
    if opened.read_only and not each.slow.rows_from:
        return "it was not tried: a named database is only read, and no copy with rows was asked for"
    return "its plan shows it; the answer is a decision that no trial can take"


def _evidence(each: _Shown, opened: OpenSource) -> Evidence:
    slow, answer, tried = each.slow, each.answer, each.reason.tried
    facts: dict[str, Any] = {
        "statement": slow.statement.name,
        "where": slow.statement.where,
        "sql": slow.statement.sql,
        "share": round(slow.share, 4),
        "share_of": slow.basis,
        "mean_ms": slow.mean_ms,
        "outcome": slow.outcome,
        "reason": each.reason.summary,
        **{f"reason_{name}": value for name, value in each.reason.facts.items()},
        "plan_before": plan_lines(slow.explained),
    }
    summary = f"{slow.statement.name}: {each.reason.summary}"
    where = opened.looked_at_on
    if answer:
        where = opened.proved_on
        summary = f"{slow.statement.name}: {answer.why}; equal on {', '.join(answer.compared)}"
        facts |= {
            "rewrite": answer.kind,
            "rewritten_sql": answer.sql,
            "compared_on": list(answer.compared),
            "before_ms": answer.before_ms,
            "after_ms": answer.after_ms,
            "runs": answer.runs,
            "rows_from": slow.rows_from,
            "plan_after": plan_lines(answer.after),
        }
    elif tried:
        where = opened.proved_on
        summary = f"{slow.statement.name}: {tried.summary}"
        facts |= {**tried.facts, "rows_from": slow.rows_from, "plan_after": plan_lines(tried.after)}
    return Evidence("plan", summary, where, facts)


def plan_lines(explained: Explained | None) -> list[str]:
    """A plan in lines as EXPLAIN's text: the node, rows estimated and as they came, its own time."""
    if explained is None:
        return []
    depth: dict[int, int] = {}
    lines = []
    for one in explained.nodes[:_LINES]:
        depth[one.number] = 0 if one.parent is None else depth[one.parent] + 1
        rows = f"rows {one.estimated:,.0f}" + (f" -> {one.actual:,.0f}" if one.actual is not None else "")
        own = "" if one.self_ms is None else f", {one.self_ms:,.3f} ms"
        subplan = f" ({one.node['Subplan Name']})" if "Subplan Name" in one.node else ""
        text = node_type(one.node) + one.label.removeprefix(node_type(one.node))
        lines.append(f"{'  ' * depth[one.number]}{text}{subplan}: {rows}{own}")
    if len(explained.nodes) > _LINES:
        lines.append(f"and {len(explained.nodes) - _LINES} nodes more")
    return lines


def _sentence(text: str) -> str:
    """*text* with a capital, unless it begins with a name."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text
