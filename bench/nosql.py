"""The review of a database of planted problems among clean near misses, and the inference of shapes.

Every problem must be found where it was planted, with the counts it was planted with; nothing else may be
said. Run it as ``python bench/nosql.py`` or ``workbench bench nosql``; the exit status is 1 where a limit
is broken.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # the benchmarks are files, not a package

from _nosql_planted import Build, Planted, as_if_a_month_old, build

from workbench.areas.nosql.review import review
from workbench.catalog.shapes import Shape
from workbench.documents.shape import infer
from workbench.documents.source import DocumentSource, scratch_source
from workbench.engines.mongo import MongoServer, mongo_engine
from workbench.proof.findings import Finding

DOCUMENTS = 2_000  # of the larger collections


def run(server: Any = None) -> list[dict[str, Any]]:
    """The benchmark's rows. *server*, of tables, is not used: MongoDB is started here."""
    with mongo_engine() as mongo:
        rows = planted_rows(mongo)
    if (Path(__file__).parent / "_nosql_inference.py").exists():
        rows += importlib.import_module("_nosql_inference").rows(server)
    return rows


def planted_rows(server: MongoServer, *, documents: int = DOCUMENTS) -> list[dict[str, Any]]:
    """Problems found of those planted, wrong figures, and findings where nothing was planted."""
    with server.scratch_database(label="bench") as database:
        made = build(database, documents=documents)
        source = as_if_a_month_old(scratch_source(database, title="planted"), made)
        shapes = shapes_of(source)
        started = time.perf_counter()
        findings = review(source, shapes, operations=made.operations, engine=server)
        elapsed_s = time.perf_counter() - started
    total = len(made.planted)
    missed, wrong = missing(made, findings), miscounted(made, findings)
    return [
        _row(
            f"planted problems found, of {total}", total - len(missed), "problems", total, not missed, missed
        ),
        _row("planted counts that differ", len(wrong), "counts", 0, not wrong, wrong),
        _row(
            f"findings where none was planted, {len(made.decoys)} near misses",
            len(beside(made, findings)),
            "findings",
            0,
            not beside(made, findings),
            beside(made, findings),
        ),
        _row(
            "findings that no trial or full count bears out",
            len(unproved(findings)),
            "findings",
            0,
            not unproved(findings),
            unproved(findings),
        ),
        _row(
            f"review of {len(shapes)} collections, with the trials", round(elapsed_s, 2), "s", None, True, []
        ),
    ]


def shapes_of(source: DocumentSource) -> dict[str, Shape]:
    """The shape of every collection, of all its documents."""
    return {
        collection.name: infer(collection.name, source.batches(collection.name), of=collection.documents)
        for collection in source.catalog.collections
        if not collection.name.startswith("system.")
    }


def missing(made: Build, findings: list[Finding]) -> list[str]:
    """The planted problems that were not found, a line each."""
    found = {(finding.check, finding.object) for finding in findings}
    return [
        f"{each.check} of {each.object}" for each in made.planted if (each.check, each.object) not in found
    ]


def beside(made: Build, findings: list[Finding]) -> list[str]:
    """The findings where nothing was planted, a line each."""
    planted = {(each.check, each.object) for each in made.planted}
    return [
        f"{finding.check} of {finding.object}"
        for finding in findings
        if (finding.check, finding.object) not in planted
    ]


def miscounted(made: Build, findings: list[Finding]) -> list[str]:
    """The planted figures that the evidence has otherwise, a line each."""
    found = {(finding.check, finding.object): finding for finding in findings}
    return [
        f"{each.check} of {each.object}: {name} is {_fact(found, each, name)!r}, not {value!r}"
        for each in made.planted
        for name, value in each.facts.items()
        if (each.check, each.object) in found and _fact(found, each, name) != value
    ]


def _fact(found: dict[tuple[str, str], Finding], planted: Planted, name: str) -> Any:
    return found[planted.check, planted.object].evidence[0].facts.get(name)


def unproved(findings: list[Finding]) -> list[str]:
    return [
        f"{each.check} of {each.object}: {each.unverified_because}" for each in findings if not each.verified
    ]


def _row(
    benchmark: str, value: float, unit: str, limit: float | None, ok: bool, named: list[str]
) -> dict[str, Any]:
    """A row in the common format; *named* are what breaks the limit."""
    return {
        "benchmark": benchmark,
        "value": value,
        "unit": unit,
        "peer": "; ".join(named),
        "peer_value": None,
        "ratio": None,
        "limit": limit,
        "ok": ok,
    }


def main() -> int:
    """Print the rows; 1 where a limit is broken."""
    rows = run()
    for row in rows:
        limit = "" if row["limit"] is None else f"limit {row['limit']:g}"
        broken = "" if row["ok"] else f"  LIMIT BROKEN: {row['peer']}"
        print(f"{row['benchmark']:62} {row['value']:>9g} {row['unit']:10} {limit}{broken}")
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
