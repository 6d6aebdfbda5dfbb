"""The area's questions asked of an open source: each proof in a scratch copy, or the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench import example
from workbench.areas.oltp.enforcement import unenforced_constraints
from workbench.areas.oltp.review import review, run_checks
from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.errors import SourceError
from workbench.proof import files
from workbench.proof.access_paths import AccessPath, QueryProof, prove_access_paths, prove_workload
from workbench.proof.constraints import Attempt, attempt_constraints, constraint_summary
from workbench.proof.files import facts_csv
from workbench.proof.findings import Finding
from workbench.proof.results import AreaResults
from workbench.source import OpenSource

_NAMES = {  # one, several
    "primary key": ("primary key", "primary keys"),
    "unique": ("unique constraint", "unique constraints"),
    "unique index": ("unique index", "unique indexes"),
    "exclusion": ("exclusion constraint", "exclusion constraints"),
    "foreign key": ("foreign key", "foreign keys"),
    "check": ("check constraint", "check constraints"),
    "domain check": ("check of a domain", "checks of domains"),
    "not null": ("not-null constraint", "not-null constraints"),
    "domain not null": ("not-null constraint of a domain", "not-null constraints of domains"),
    "generated identity": ("identity column (generated always)", "identity columns (generated always)"),
    "constraint trigger": ("constraint trigger", "constraint triggers"),
    "unique key": ("unique key", "unique keys"),
    "referenced row": (
        "foreign key, followed to the referenced row,",
        "foreign keys, followed to the referenced row,",
    ),
    "referencing rows": (
        "foreign key, followed back to its rows,",
        "foreign keys, followed back to their rows,",
    ),
}
_HOW_TO_TRY = "workbench oltp constraints, once the table has a row that the constraint allows"


@dataclass(frozen=True)
class ConstraintProofs:
    """What became of the attempts on the constraints, and the findings about those not in force."""

    attempts: list[Attempt]
    findings: list[Finding]
    why_none: str = ""  # why nothing could be tried at all


def review_source(opened: OpenSource, *, schemas: Sequence[str] | None = None) -> list[Finding]:
    """The findings about *opened*, each proved in a scratch copy; where none can be had, each says why.

    Raises SchemaNotFound.
    """
    try:
        with opened.scratch() as scratch:
            return review(opened.connection, scratch, engine=opened.proved_on, schemas=schemas)
    except SourceError as exc:
        if not opened.read_only:
            raise
        found = run_checks(opened.connection, schemas=schemas)
        return [replace(finding, verified=False, unverified_because=str(exc)) for finding in found]


def break_constraints(opened: OpenSource, catalog: Catalog, *, limit_s: float = 60) -> ConstraintProofs:
    """An attempt on every constraint of the schemas of *catalog*, in a scratch copy."""
    try:
        with opened.scratch() as scratch:
            copied = reflect(scratch, schemas=catalog.schemas)
            attempts = attempt_constraints(scratch, copied, limit_s=limit_s)
            findings = unenforced_constraints(scratch, copied, attempts, engine=opened.proved_on)
            return ConstraintProofs(attempts, findings)
    except SourceError as exc:
        if not opened.read_only:
            raise
        return ConstraintProofs([], [], str(exc))


def access_paths(opened: OpenSource, catalog: Catalog, *, limit_s: float = 60) -> list[AccessPath]:
    """The plan of each look-up by a key of *catalog*, in a scratch copy; none where no copy can be had."""
    try:
        with opened.scratch() as scratch:
            return prove_access_paths(scratch, reflect(scratch, schemas=catalog.schemas), limit_s=limit_s)
    except SourceError:
        if not opened.read_only:
            raise
        return []


def declared_workload(opened: OpenSource) -> list[QueryProof]:
    """The example's declared queries, each run once in a scratch copy; other sources declare none."""
    if opened.source.kind != "example":
        return []
    with opened.scratch() as scratch:
        due = [query for query in example.workload() if query.minimum_scale <= opened.options.scale]
        return prove_workload(scratch, due)


def record_constraints(results: AreaResults, proofs: ConstraintProofs, engine: str) -> None:
    """Put what became of the attempts into *results*: a claim a kind, and one for what was not tried."""
    if proofs.why_none:
        results.add_proof(
            "The server refuses what the schema forbids", "not proved", engine, why_not=proofs.why_none
        )
    for row in constraint_summary(proofs.attempts):
        tried, refused, untried = row["tried"], row["refused"], row["not_tried"]
        if tried:
            results.add_proof(
                f"{_each(tried, row['kind'])} refuses a row that violates it",
                refused == tried,
                engine,
                detail=f"{refused} of {tried} refused it under their own name",
            )
        if untried:
            results.add_proof(
                f"{_each(untried, row['kind'], other=bool(tried))} refuses a row that violates it",
                "not proved",
                engine,
                why_not=_reasons(each for each in proofs.attempts if each.kind == row["kind"]),
                how_to=_HOW_TO_TRY,
            )


def _each(count: int, kind: str, *, other: bool = False) -> str:
    one, several = _NAMES[kind]
    return (
        f"{'Another' if other else 'The one'} {one}"
        if count == 1
        else f"Each of {count}{' other' * other} {several}"
    )


def _reasons(attempts: Iterable[Attempt]) -> str:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for attempt in attempts:
        if attempt.outcome == "not tried":
            by_reason[attempt.reason].append(f"{attempt.table}.{attempt.constraint}")
    return "; ".join(f"{reason} ({', '.join(names)})" for reason, names in by_reason.items())


def access_path_summary(paths: Iterable[AccessPath]) -> list[dict[str, Any]]:
    """Per kind of look-up, how many the planner serves in which way."""
    counts: dict[str, dict[str, int]] = {}
    for path in paths:
        verdicts = counts.setdefault(path.kind, {})
        verdicts[path.verdict] = verdicts.get(path.verdict, 0) + 1
    seen = sorted({verdict for verdicts in counts.values() for verdict in verdicts})
    return [
        {"look-up": kind, "all": sum(verdicts.values()), **{each: verdicts.get(each, 0) for each in seen}}
        for kind, verdicts in counts.items()
    ]


def record_access_paths(results: AreaResults, paths: Sequence[AccessPath], engine: str) -> None:
    """Put into *results* a claim a kind: each look-up is found by an index, or would be once it pays."""
    for kind in dict.fromkeys(path.kind for path in paths):
        of_kind = [path for path in paths if path.kind == kind]
        tried = [path for path in of_kind if path.verdict != "not tried"]
        without = [path for path in tried if path.verdict == "no index"]
        if tried:
            names = ", ".join(f"{each.table} ({', '.join(each.columns)})" for each in without[:5])
            more = f" and {len(without) - 5} more" if len(without) > 5 else ""
            results.add_proof(
                f"{_each(len(tried), kind)} has an index that finds its rows",
                not without,
                engine,
                detail=f"none for {names}{more}"
                if without
                else "by the plan, with and without sequential scans",
            )
        if untried := len(of_kind) - len(tried):
            reason = next(path.explanation for path in of_kind if path.verdict == "not tried")
            results.add_proof(
                f"{_each(untried, kind, other=bool(tried))} has an index that finds its rows",
                "not proved",
                engine,
                why_not=reason,
            )


def record_workload(results: AreaResults, proofs: Sequence[QueryProof], engine: str) -> None:
    """Put into *results* whether each query of the declared workload uses the index that is there for it."""
    if proofs:
        other = [proof.name for proof in proofs if proof.index not in proof.indexes]
        results.add_proof(
            f"Each of {len(proofs)} queries of the declared workload uses the index that is there for it",
            not other,
            engine,
            detail=f"not used by {', '.join(other)}" if other else "run with the rows at hand",
        )


def attempts_csv(attempts: Iterable[Attempt]) -> str:
    """The attempts as CSV, a row a constraint."""
    return facts_csv(Attempt, attempts)


def fixes_script(findings: Iterable[Finding]) -> str:
    """The fixes of *findings* as one SQL script, each under its finding and whether it was proved."""
    return files.fixes_script(findings, comment="--")
