"""Index advice for operations, seen or declared, by equality, sort and range.

findings = prove_index_advice(
    advise_indexes(source, shapes, operations), source, engine, shapes=shapes, operations=operations
)
Source: MongoDB manual, "The ESR (Equality, Sort, Range) Guideline".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from workbench.areas.nosql.checks.context import AREA
from workbench.catalog.collections import Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.advice import (
    IndexAdvice,
    advised,
    described_operation,
    fix,
    is_seldom,
    reasons,
)
from workbench.documents.indexing.copies import Wanted
from workbench.documents.indexing.trials import Trial, tried_indexes
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.errors import WorkbenchError
from workbench.proof.findings import Evidence, Finding

CHECK = "missing_index"
PAGE = "docs/checks/nosql_missing_index.md"


def advise_indexes(
    source: DocumentSource, shapes: Mapping[str, Shape], operations: Sequence[Operation]
) -> list[Finding]:
    """The indexes that operations lack, not yet tried; at most three a collection, what saves most first.

    *operations* are taken with those that the catalog has. Those on views, time series and collections
    without a shape are not judged, nor those that an index would narrow too little. Nothing is read but
    what is given.
    """
    return [_finding(each, source) for each in advised(source, shapes, operations)]


def prove_index_advice(
    findings: Sequence[Finding],
    source: DocumentSource,
    engine: MongoServer,
    *,
    shapes: Mapping[str, Shape],
    operations: Sequence[Operation],
) -> list[Finding]:
    """The *findings* of `advise_indexes`, each tried in a scratch database of *engine*.

    A sample of the documents and the existing indexes are copied there; each operation is run with values
    of documents before and after the index is made. Advice that does not help is dropped. What could not
    be tried stays unverified and says why.
    """
    wanted = {finding.id for finding in findings}
    advice = [each for each in advised(source, shapes, operations) if _finding(each, source).id in wanted]
    by_collection: dict[str, list[IndexAdvice]] = {}
    for each in advice:
        by_collection.setdefault(each.collection.name, []).append(each)
    proved: dict[str, Finding | None] = {}
    for name, group in by_collection.items():
        proved |= _proved(source, shapes[name], group, engine)
    results = (proved.get(finding.id, finding) for finding in findings)
    return [finding for finding in results if finding is not None]


def _proved(
    source: DocumentSource, shape: Shape, group: Sequence[IndexAdvice], engine: MongoServer
) -> dict[str, Finding | None]:
    """The finding of each advice by id; None where the index does not help."""
    found = {each.object: _finding(each, source) for each in group}
    indexes = {
        each.object: Wanted(each.hidden or each.name, each.key, each.collation, bool(each.hidden))
        for each in group
    }
    operations = {each.object: each.operations for each in group}
    try:
        trials = tried_indexes(source, group[0].collection, shape, indexes, operations, engine)
    except WorkbenchError as exc:
        return {
            finding.id: replace(finding, unverified_because=f"it could not be tried: {exc}")
            for finding in found.values()
        }
    return {found[name].id: _judged(found[name], trial, engine) for name, trial in trials.items()}


def _judged(finding: Finding, trial: Trial, engine: MongoServer) -> Finding | None:
    """*finding* with what the trial showed; None where the index does not help."""
    if trial.failure:
        return replace(finding, unverified_because=trial.failure)
    if not trial.helps:
        return None
    evidence = Evidence("plan", trial.summary, engine.description, trial.facts)
    return replace(finding, verified=True, unverified_because="", evidence=(*finding.evidence, evidence))


def _finding(advice: IndexAdvice, source: DocumentSource) -> Finding:
    first = advice.needs[0]
    count = len(advice.operations)
    which = "1 operation" if count == 1 else f"{count} operations"
    read = "reads" if count == 1 else "the costliest reads"
    seen = first.operation.documents_examined is not None
    how = "as the profiler saw" if seen else "by an estimate"
    return Finding(
        area=AREA,
        check=CHECK,
        severity="info" if is_seldom(advice) else "warn",
        object=advice.object,
        title=f"{advice.collection.name} lacks an index for {which}: {advice.paths}",
        why=" ".join(reasons(advice, f"{read} {first.now:,.0f} documents of it each time {how}")),
        fix=fix(advice),
        verified=False,
        unverified_because="it was not tried on an engine",
        evidence=(
            Evidence(
                "operations",
                f"{which}, the first of which {described_operation(first.operation)}",
                source.looked_at_on,
                {
                    "operations": [described_operation(each) for each in advice.operations],
                    "origins": sorted({each.origin for each in advice.operations if each.origin}),
                    "documents_read_now": round(first.now),
                    "documents_read_then_estimated": round(first.then),
                    "observed": seen,
                },
            ),
        ),
    )


__all__ = ["CHECK", "PAGE", "advise_indexes", "prove_index_advice"]
