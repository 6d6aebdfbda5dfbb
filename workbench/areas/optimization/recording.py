"""Slow statements and structure as data, and as what the report keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workbench.areas.optimization.slow import (
    reason_table,
    rewrite_table,
    slow_findings,
    slow_picture,
    slow_table,
)
from workbench.areas.optimization.structure import StructureReview
from workbench.catalog.reflect import reflect
from workbench.diagrams import DrawingFailed
from workbench.documents.opening import OpenModel
from workbench.documents.opening import looked_at_of as documents_looked_at
from workbench.proof.looked_at import looked_at
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults, LookedAt
from workbench.proof.slow.model import SlowStatement
from workbench.proof.workload import Workload
from workbench.source import OpenSource

_CLAIM_REWRITES = "Each accepted rewrite gives the same rows and is faster"
_MOST_PICTURES = 10


def looked_at_of(opened: OpenModel) -> LookedAt:
    """The source in the report's words: its tables where it has any, else its collections."""
    if opened.rows is None:
        return documents_looked_at(opened, {})
    return looked_at(opened.rows, reflect(opened.rows.connection))


def slow_as_dict(workload: Workload, found: Sequence[SlowStatement]) -> dict[str, Any]:
    """The slow statements as plain data: times in ms, shares as text, each with its SQL and plan."""
    return {
        "workload": {
            "origin": workload.origin,
            "unread": [asdict(each) for each in workload.unread],
            "notes": workload.notes,
        },
        "statements": [
            {**row, "sql": each.statement.sql, "plan": each.plan.root if each.plan else None}
            for row, each in zip(slow_table(found), found, strict=True)
        ],
        "reasons": reason_table(found),
        "rewrites": rewrite_table(found),
    }


def structure_as_dict(review: StructureReview) -> dict[str, Any]:
    """The review of structure as plain data: sizes in bytes, shares as parts of one."""
    return {
        "tables": review.tables,
        "columns": review.columns,
        "partitioning": review.partitioning,
        "findings": [finding.as_dict() for finding in review.findings],
        "not_judged": review.not_judged,
    }


def record_slow(
    results: AreaResults, opened: OpenSource, workload: Workload, found: Sequence[SlowStatement]
) -> None:
    """Put findings, claims, figures and pictures of slow statements into *results*."""
    results.add_findings(slow_findings(found, opened))
    rewrites = [rewrite for each in found for rewrite in each.rewrites]
    accepted = [each for each in rewrites if each.verdict == "accepted"]
    results.add_fact("Statements looked into", len(found), workload.origin)
    if accepted:
        results.add_proof(
            _CLAIM_REWRITES,
            all(each.ratio is not None and each.ratio > 1 and each.compared for each in accepted),
            opened.proved_on,
            detail=f"{len(accepted)} of {len(rewrites)} rewrites tried; rows compared, run in turns",
        )
    results.add_artifact(
        "slow.json", as_json(slow_as_dict(workload, found)), "slow statements, why, and plans"
    )
    for number, each in enumerate(found[:_MOST_PICTURES], start=1):
        try:
            picture = slow_picture(each)
        except DrawingFailed:
            continue  # the report says in its place that there is none
        if picture is not None:
            name = f"plan-{number}-{each.statement.name}.svg"
            results.add_artifact(name, picture.svg, f"the plan of {each.statement.name}")


def record_structure(results: AreaResults, review: StructureReview) -> None:
    """Put findings and figures of the structure into *results*."""
    results.add_findings(review.findings)
    proved = sum(finding.verified for finding in review.findings)
    results.add_fact("Findings on structure", len(review.findings), f"{proved} of them proved on a copy")
    results.add_artifact(
        "structure.json", as_json(structure_as_dict(review)), "tables, columns, partitioning"
    )
