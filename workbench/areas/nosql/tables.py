"""What was seen, tried and measured, as rows for tables and as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.areas.nosql.proofs import Proofs
from workbench.catalog.shapes import Shape, written
from workbench.documents.design import (
    AccessPattern,
    BuiltDesign,
    DesignComparison,
    Relationship,
    difference,
)
from workbench.documents.validators import Failing
from workbench.proof.documents.bad_documents import ValidatorAttempt
from workbench.proof.documents.index_use import IndexProof
from workbench.proof.explain_documents import ExecutionStats

Row = dict[str, Any]


def field_rows(shape: Shape) -> list[Row]:
    """A row a field path: how often, of which types, how long."""
    return [
        {
            "field": written(names),
            "count": node.count,
            "share": f"{node.share:.2%}" if node.kind == "field" else "",
            "types": ", ".join(f"{kind} {count:,}" for kind, count in node.types.items()),
            "lengths": f"{node.lengths.minimum} to {node.lengths.maximum}, mean {node.lengths.mean:.1f}"
            if node.lengths
            else "",
            "formats": ", ".join(
                f"{name} {count:,} of {node.tested:,}" for name, count in node.formats.items()
            ),
        }
        for names, node in shape.walk()
    ]


def failing_rows(failing: Mapping[str, Failing]) -> list[Row]:
    """A row a suggested validator: how many documents it would refuse, and a few of them."""
    return [
        {
            "collection": name,
            "documents": each.documents,
            "would_fail": each.failing if not each.not_counted_because else each.not_counted_because,
            "such_as": ", ".join(str(example) for example in each.examples[:3]),
        }
        for name, each in failing.items()
    ]


def validator_rows(proofs: Proofs) -> list[Row]:
    """A row a collection: how many rules of its validator were broken, and how many refused."""
    rows = []
    for name in dict.fromkeys(attempt.collection for attempt in proofs.validators):
        own = [attempt for attempt in proofs.validators if attempt.collection == name]
        good = next((each for each in proofs.good if each.collection == name), None)
        rows.append(
            {
                "collection": name,
                "rules": len(own),
                "refused": sum(each.outcome == "refused" for each in own),
                "refused_for_this_rule_alone": sum(each.alone for each in own),
                "accepted": sum(each.outcome == "accepted" for each in own),
                "not_tried": sum(each.outcome == "not tried" for each in own),
                "good_documents_accepted": f"{good.tried - good.refused} of {good.tried}" if good else "",
            }
        )
    return rows


def attempt_rows(attempts: Iterable[ValidatorAttempt]) -> list[Row]:
    """A row a rule that was broken: what was changed in a good document, and what the server said."""
    return [
        {
            "collection": each.collection,
            "path": each.path,
            "rule": each.rule,
            "tried": each.statement,
            "outcome": each.outcome,
            "reason": each.reason,
        }
        for each in attempts
    ]


def index_rows(proofs: Iterable[IndexProof]) -> list[Row]:
    """A row a query: what it examines for each document that it returns, with its index and without."""
    return [
        {
            "collection": each.collection,
            "query": each.query,
            "index": each.index,
            "used": "yes" if each.used else "no",
            "returned": each.by.returned,
            "keys": each.by.keys_examined,
            "documents": each.by.documents_examined,
            "documents_without": each.without.documents_examined if each.without else each.without_reason,
            "sorts_without": _sort(each.without),
        }
        for each in proofs
    ]


def _sort(stats: ExecutionStats | None) -> str:
    return "" if stats is None else "in memory" if stats.in_memory_sort else "no"


def pattern_rows(patterns: Iterable[AccessPattern]) -> list[Row]:
    """A row an access pattern."""
    return [
        {
            "pattern": each.name,
            "kind": each.kind,
            "root": ".".join(each.root),
            "with": ", ".join(_related(relationship, each.root) for relationship in each.relationships),
            "per_hour": each.per_hour,
            "origin": "assumed" if each.assumed else each.origin,
        }
        for each in patterns
    ]


def design_rows(comparison: DesignComparison) -> list[Row]:
    """A row a design that was built, the chosen one first."""
    return [
        {
            "design": each.name,
            "ms_per_hour_more": round(each.against_ms - comparison.chosen.against_ms, 1),
            "measured_ms_per_hour": round(each.measured_ms, 1),
            "documents": each.documents,
            "size_bytes": each.size_bytes,
            "largest_bytes": each.largest_bytes,
            "days_to_16_MB": _days(each),
            "rows_found_back": each.verification.rows if each.verification.equal else "not all",
            "what_is_different": _difference(each, comparison.chosen),
        }
        for each in comparison.built
    ]


def choice_rows(comparison: DesignComparison) -> list[Row]:
    """A row a relationship that the chosen design does not leave a reference."""
    return [
        {"relationship": _arrow(each.relationship), "pattern": each.kind, "in_words": each.label}
        for each in comparison.chosen.design.choices
    ]


def _arrow(relationship: Relationship) -> str:
    child, parent = relationship.child[1], relationship.parent[1]
    return f"{child} → {parent} ({', '.join(relationship.columns)})"


def _related(relationship: Relationship, root: tuple[str, str]) -> str:
    return relationship.child[1] if relationship.parent == root else relationship.parent[1]


def _difference(built: BuiltDesign, chosen: BuiltDesign) -> str:
    if built is chosen:
        return f"the chosen one: {len(built.design.choices)} relationships are more than references"
    return difference(built, chosen)


def _days(built: BuiltDesign) -> Any:
    days = built.price.days_to_limit
    return "no growth seen" if days is None else round(days)


def latency_rows(comparison: DesignComparison) -> list[Row]:
    """A row a pattern: its median latency on each design, and what the chosen one reads and changes."""
    rows = []
    for n, pattern in enumerate(comparison.patterns):
        row: Row = {"pattern": pattern.name, "per_hour": pattern.per_hour}
        for built in comparison.built:
            measured = built.measured[n]
            row[f"{built.name}, ms"] = round(measured.median_ms, 2) if measured else None
        for built in _chosen_and_baseline(comparison):
            measured = built.measured[n]
            row[f"documents read, {built.name}"] = measured.documents_examined if measured else None
        chosen = comparison.chosen.measured[n]
        row["documents changed"] = chosen.modified if chosen else None
        rows.append(row)
    return rows


def _chosen_and_baseline(comparison: DesignComparison) -> list[BuiltDesign]:
    chosen, baseline = comparison.chosen, comparison.baseline
    return [chosen] if chosen is baseline else [chosen, baseline]


def option_rows(comparison: DesignComparison) -> list[Row]:
    """A row a relationship: which designs are open to it, and which are not, and why."""
    return [
        {
            "relationship": _arrow(option.relationship),
            "open": "; ".join(choice.label for choice in option.choices) or "reference",
            "excluded": "; ".join(f"{each.kind}: {each.reason}" for each in option.excluded),
        }
        for option in comparison.options
    ]


def unique_rows(proofs: Proofs) -> list[Row]:
    """A row a unique index: whether a second document of the same key was refused, and what was not."""
    return [
        {
            "collection": each.collection,
            "index": each.index,
            "key": each.key,
            "outcome": each.outcome,
            "near_misses_accepted": "; ".join(each.near_miss),
            "reason": each.reason,
        }
        for each in proofs.unique
    ]


def expiry_rows(proofs: Proofs) -> list[Row]:
    """A row a TTL index: which documents went, which stayed."""
    return [each.row() for each in proofs.expiry]


def time_series_rows(proofs: Proofs) -> list[Row]:
    """A row a way to store the events: bytes, rates, buckets."""
    compared = proofs.time_series
    return [] if compared is None else [compared.time_series.row(), compared.plain.row()]


def time_series_query_rows(proofs: Proofs) -> list[Row]:
    """A row a query on both ways to store the events."""
    return [] if proofs.time_series is None else [each.row() for each in proofs.time_series.queries]


def claim_rows(proofs: Proofs) -> list[Row]:
    """A row a claim about behaviour: of time series, writers, transactions, lost servers."""
    claims = [claim for group in proofs.claims.values() for claim in group]
    return [claim.row() for claim in (*claims, *proofs.not_tried)]


def role_rows(proofs: Proofs) -> list[Row]:
    """A row a role: the actions that it was let do, how many it was refused, what is not as designed."""
    rows = []
    for role in dict.fromkeys(each.role for each in proofs.roles):
        own = [each for each in proofs.roles if each.role == role]
        rows.append(
            {
                "role": role,
                "allowed": "; ".join(
                    f"{each.action} {each.collection}" for each in own if each.outcome == "allowed"
                ),
                "refused": sum(each.outcome == "refused" for each in own),
                "not_as_designed": "; ".join(
                    f"{each.action} {each.collection} {each.outcome}" for each in own if not each.as_expected
                ),
            }
        )
    return rows
