"""The review of operations as rows of tables, a dictionary each, and as files to take home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.areas.optimization.collections.findings import (
    commands_of,
    created,
    drop_facts,
    findings_of,
    slow_facts,
    trial_facts,
    undo_of,
)
from workbench.areas.optimization.collections.review import OperationsReview, pictures
from workbench.areas.optimization.collections.slow import said_operation
from workbench.areas.optimization.collections.trial import IndexTrial
from workbench.diagrams.stage_tree import StageTree
from workbench.documents.indexing.advice import fix
from workbench.documents.mongosh import plain_json, shell, text
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults

_CLAIM_RECORD = "The operations on collections are on record"
_CLAIM_INDEXES = "Each index that is advised spares its operations most of what they read"
_CLAIM_DROPS = "No operation reads more without the indexes that are hidden"


def operation_rows(review: OperationsReview) -> list[dict[str, Any]]:
    """An operation a row, those that take most time first; times in ms."""
    return [
        {
            "collection": each.slow.operation.collection,
            "operation": said_operation(each.slow.operation),
            "calls": each.slow.calls or None,
            "total_ms": round(each.slow.total_ms, 1) if each.slow.calls else None,
            "share": round(each.slow.share, 3) if each.slow.calls else None,
            "mean_ms": round(each.slow.mean_ms, 2) if each.slow.calls else None,
            "max_ms": round(each.slow.max_ms, 1) if each.slow.calls else None,
            "keys_per_returned": round(each.slow.keys_per_returned, 1) if each.slow.calls else None,
            "documents_per_returned": round(each.slow.documents_per_returned, 1) if each.slow.calls else None,
            "plan": each.slow.plan,
            "why": "; ".join(reason.says for reason in each.reasons),
        }
        for each in review.operations
    ]


def accepted_rows(review: OperationsReview) -> list[dict[str, Any]]:
    """An accepted index a row, with what its operations read for each document returned, and its costs."""
    return [_index_row(each) for each in review.accepted]


def rejected_rows(review: OperationsReview) -> list[dict[str, Any]]:
    """An index that was thought of and not accepted a row, with the figures that speak against it."""
    return [{**_index_row(each), "why": each.because} for each in review.indexes if not each.accepted]


def _index_row(trial: IndexTrial) -> dict[str, Any]:
    effects = trial.effects
    returned = max(sum(each.returned for each in effects), 1)
    row = {
        "collection": trial.advice.collection.name,
        "index": trial.advice.paths,
        "operations": len(trial.advice.operations),
        "examined_before": None,
        "examined_after": None,
        "before_ms": None,
        "after_ms": None,
        "index_bytes": trial.index_bytes,
        "insert_us": round(trial.insert_us[0], 1) if trial.insert_us else None,
        "insert_us_with": round(trial.insert_us[1], 1) if trial.insert_us else None,
    }
    if effects:
        row["examined_before"] = round(
            sum(each.keys_before + each.documents_before for each in effects) / returned, 1
        )
        row["examined_after"] = round(
            sum(each.keys_after + each.documents_after for each in effects) / returned, 1
        )
    if any(each.before_ms is not None for each in effects):
        row["before_ms"] = round(sum(each.before_ms or 0.0 for each in effects), 2)
        row["after_ms"] = round(sum(each.after_ms or 0.0 for each in effects), 2)
    return row


def drop_rows(review: OperationsReview) -> list[dict[str, Any]]:
    """An index that could go a row, and whether the operations do without it."""
    return [
        {
            "collection": each.collection.name,
            "index": each.index.name,
            "kind": each.kind,
            "kept": each.kept,
            "size_bytes": each.index.size_bytes,
            "proved": each.proved,
            "why": each.because,
        }
        for each in review.drops
    ]


def review_as_dict(review: OperationsReview) -> dict[str, Any]:
    """The review as plain data: operations, indexes, rejected, drops, commands, notes."""
    return {
        "source": review.source,
        "database": review.database,
        "tried_on": review.tried_on,
        "recorded_by": review.recorded.origin,
        "notes": [*review.notes, *([str(review.missing)] if review.missing else [])],
        "operations": [plain_json(slow_facts(each)) for each in review.operations],
        "indexes": [
            {**plain_json(trial_facts(each)), "ddl": fix(each.advice), "undo": undo_of(each)}
            for each in review.accepted
        ],
        "rejected": [plain_json(trial_facts(each)) for each in review.indexes if not each.accepted],
        "drops": [plain_json(drop_facts(each)) for each in review.drops],
        "commands": commands_of(review),
    }


def record_operations(results: AreaResults, review: OperationsReview, *, bared: bool = False) -> None:
    """Put findings and proofs of *review* into *results*, and what could not be proved with what helps.

    Of a *bared* source, whose own indexes were dropped to be found again, nothing is found wrong.
    """
    if not bared:
        results.add_findings(findings_of(review))
    if review.missing is not None:
        results.add_proof(
            _CLAIM_RECORD,
            "not proved",
            review.looked_at_on,
            why_not=str(review.missing),
            how_to=review.missing.hint,
        )
    if not review.tried_on:
        if review.indexes or review.drops:
            results.add_proof(
                _CLAIM_INDEXES, "not proved", review.looked_at_on, why_not=review.why_not_tried, how_to=""
            )
        return
    if review.accepted:
        detail = f"{len(review.accepted)} accepted, {len(review.indexes) - len(review.accepted)} rejected"
        results.add_proof(_CLAIM_INDEXES, "proved", review.tried_on, detail=detail)
    proved = [each for each in review.drops if each.proved]
    if proved:
        results.add_proof(
            _CLAIM_DROPS,
            "proved",
            review.tried_on,
            detail=f"{len(proved)} hidden on a copy, {len(review.drops)} thought of",
        )


def add_operation_artifacts(
    results: AreaResults, review: OperationsReview, drawn: Mapping[str, StageTree] | None = None
) -> None:
    """Add to *results* the review as JSON, the commands with their undo, a script, pictures of the plans."""
    if review.operations or review.indexes or review.drops:
        results.add_artifact(
            "collection-operations.json",
            as_json(review_as_dict(review)),
            "operations, indexes, and what was measured",
        )
    commands = commands_of(review)
    if commands:
        results.add_artifact(
            "collection-indexes.json",
            as_json(commands),
            "commands of the server for each index, with their undo",
        )
        results.add_artifact(
            "collection-indexes.js", script(review), "the same for mongosh, to be read and then run"
        )
        results.add_artifact("collection-indexes-undo.js", undo_script(review), "takes all of it back")
    for name, picture in (pictures(review) if drawn is None else drawn).items():
        results.add_artifact(f"{name}.svg", picture.svg, picture.title)


def script(review: OperationsReview) -> str:
    """The statements of mongosh that make the accepted indexes and hide those that are needless."""
    lines = ["// read, then run, with the database selected; a build reads the whole collection"]
    for trial in review.accepted:
        lines += [f"// {trial.because}", fix(trial.advice).splitlines()[0]]
    for drop in review.drops:
        if drop.proved:
            hide = f"{shell(drop.collection.name)}.hideIndex({text(drop.index.name)})"
            lines += [f"// {drop.because}; drop it when nothing has become slower", hide]
    return "\n".join(lines) + "\n"


def undo_script(review: OperationsReview) -> str:
    """The statements of mongosh that take back what `script` does; a dropped index is made again."""
    lines = ["// takes back what collection-indexes.js does"]
    for drop in review.drops:
        if drop.proved:
            lines += [
                f"{shell(drop.collection.name)}.unhideIndex({text(drop.index.name)})",
                f"// if it was dropped: {created(drop)}",
            ]
    return "\n".join([*lines, *(undo_of(each) for each in review.accepted)]) + "\n"


__all__ = [
    "accepted_rows",
    "add_operation_artifacts",
    "drop_rows",
    "operation_rows",
    "record_operations",
    "rejected_rows",
    "review_as_dict",
    "script",
    "undo_script",
]
