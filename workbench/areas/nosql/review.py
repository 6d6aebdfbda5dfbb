"""What the checks say of a database of collections, the worst first.

findings = review(source, shapes, operations=operations, engine=server)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from workbench.areas.nosql.checks import CHECKS, Context
from workbench.areas.nosql.checks.tallies import Question
from workbench.areas.nosql.counted import Identities, answers
from workbench.areas.nosql.tried import tried
from workbench.catalog.collections import Operation
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.served import UNUSED_DAYS, unused_so_far
from workbench.documents.source import DocumentSource
from workbench.engines.mongo import MongoServer
from workbench.proof.findings import SEVERITIES, Finding


def review(
    source: DocumentSource,
    shapes: Mapping[str, Shape],
    *,
    operations: Sequence[Operation] = (),
    shard_keys: Mapping[str, tuple[tuple[str, int | str], ...]] | None = None,
    engine: MongoServer | None = None,
) -> list[Finding]:
    """The findings of all checks about *source*, whose collections have *shapes*, the worst first.

    *operations* are taken with those of the catalog, *shard_keys* (of collections, planned) before its own.
    The source is read and never written: one pass over each collection of which something is to be counted.
    What can be tried is tried in a scratch database of *engine*.
    """
    context = Context(
        catalog=source.catalog,
        shapes=shapes,
        operations=(*source.catalog.operations, *operations),
        looked_at_on=source.looked_at_on,
        now=datetime.now(UTC),
        shard_keys=shard_keys or {},
    )
    counted = answers(source, shapes, questions(context), now=context.now)
    findings = find(replace(context, answers=counted, existing=Identities(source)))
    return in_order(findings if engine is None else tried(findings, engine))


def not_judged(source: DocumentSource, *, operations: Sequence[Operation] = ()) -> list[str]:
    """What the checks cannot tell of *source*, and why, a line each; with what could not be read of it."""
    catalog = source.catalog
    lines = list(catalog.left_out)
    if not (catalog.operations or operations):
        lines.append(
            "No operation is on record or declared, so matches, joins and missing indexes are not judged: "
            'db.setProfilingLevel(1, {"slowms": 0}) records them, or declare them in a file.'
        )
    young = unused_so_far(catalog, datetime.now(UTC))
    if young:
        listed = ", ".join(young[:10]) + (f" and {len(young) - 10:,} more" if len(young) > 10 else "")
        lines.append(
            f"Whether indexes are unused cannot be told: the statistics are younger than {UNUSED_DAYS} days. "
            f"Without an access so far: {listed}."
        )
    return lines


def questions(context: Context) -> Iterable[Question]:
    """What the checks want counted."""
    for check in CHECKS:
        if check.questions is not None:
            yield from check.questions(context)


def find(context: Context) -> list[Finding]:
    """What the checks say, in their order."""
    return [finding for check in CHECKS for finding in check.find(context)]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), found.object, found.check))
