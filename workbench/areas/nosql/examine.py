"""The area's questions asked of an open source: rows, collections, or the example, which is both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.areas.nosql.indexes import advise_indexes, prove_index_advice
from workbench.areas.nosql.proofs import Proofs, prove_example, prove_source, record_proofs
from workbench.areas.nosql.review import in_order, not_judged, review
from workbench.catalog.collections import Collection, CollectionCatalog, Operation
from workbench.catalog.shapes import Shape
from workbench.documents.mongosh import plain_json
from workbench.documents.opening import (
    OpenModel,
    declared_operations,
    documents_of,
    require_collections,
    require_server,
    shapes_of,
)
from workbench.documents.shape import shape_as_dict
from workbench.documents.source import DocumentSource
from workbench.documents.validators import Failing, Strictness, count_failing, suggest_validator
from workbench.errors import BadInput
from workbench.proof.findings import Finding
from workbench.proof.results import AreaResults

ShardKey = tuple[tuple[str, int | str], ...]
_CLAIMS = (
    "The validators and unique indexes refuse what does not belong",
    "Each query of the design uses the index that is there for it",
    "What is past its date is removed, and nothing else",
    "A time series takes less room than a plain collection of the same events",
    "Transactions and concerns keep what they promise when a server is lost",
    "Each role may do what it must and no more",
)


@dataclass(frozen=True)
class Reviewed:
    """What was seen of each collection, what the checks say, and the validators that the shapes ask for."""

    collections: list[dict[str, Any]]
    shapes: Mapping[str, Shape]
    validators: Mapping[str, Mapping[str, Any]]
    failing: Mapping[str, Failing]
    findings: list[Finding]
    not_judged: list[str] = field(default_factory=list)

    @property
    def caption(self) -> str:
        """What stands above the table of collections."""
        if not self.collections:
            return "The source has no collections to look at; documents for its tables follow below."
        full = all(shape.full for shape in self.shapes.values())
        return "Collections; all documents were read" if full else "Collections; a sample was read"

    def as_dict(self) -> dict[str, Any]:
        """Plain data: ``collections``, ``schema`` with the counts a field path and type, ``findings``."""
        return {
            "collections": self.collections,
            "schema": {name: shape_as_dict(shape) for name, shape in self.shapes.items()},
            "validators": {name: plain_json(validator) for name, validator in self.validators.items()},
            "findings": [finding.as_dict() for finding in self.findings],
            "not_judged": self.not_judged,
        }


def suggested_validators(
    source: DocumentSource, shapes: Mapping[str, Shape], *, strictness: Strictness = "required"
) -> dict[str, dict[str, Any]]:
    """The validator that each collection's shape asks for; none for time series, views, empty collections."""
    return {
        name: suggest_validator(shape, strictness=strictness)
        for name, shape in shapes.items()
        if shape.documents and source.catalog.collection(name).kind == "collection"
    }


def failing_counts(
    opened: OpenModel, source: DocumentSource, validators: Mapping[str, Mapping[str, Any]]
) -> dict[str, Failing]:
    """For each collection how many of all its documents *validators* would refuse."""
    return {
        name: count_failing(source, name, validator, opened.server) for name, validator in validators.items()
    }


def collection_overview(source: DocumentSource, shapes: Mapping[str, Shape]) -> list[dict[str, Any]]:
    """A row a collection: what it is, how many documents of which size, and what is declared for it."""
    return [_overview(each, shapes.get(each.name)) for each in source.catalog.collections]


def _overview(collection: Collection, shape: Shape | None) -> dict[str, Any]:
    kind = ("capped " if collection.capped else "") + collection.kind
    return {
        "collection": collection.name,
        "kind": kind + (f" on {collection.view_on}" if collection.view_on else ""),
        "documents": documents_of(collection, shape) if collection.kind != "view" else None,
        "read": shape.documents if shape else 0,
        "paths": shape.paths if shape else None,
        "mean_bytes": round(shape.sizes.mean) if shape and shape.documents else None,
        "largest_bytes": shape.sizes.maximum if shape and shape.documents else None,
        "indexes": len(collection.indexes),
        "validator": _validation(collection),
    }


def _validation(collection: Collection) -> str:
    if collection.kind != "collection":
        return "cannot have one"
    if not collection.validator:
        return "none"
    return (
        ", ".join(word for word in (collection.validation_level, collection.validation_action) if word)
        or "strict, error"
    )


def findings_of(
    opened: OpenModel,
    shapes: Mapping[str, Shape],
    *,
    operations: Sequence[Operation] = (),
    shard_keys: Mapping[str, ShardKey] | None = None,
) -> list[Finding]:
    """What the checks and the index advice say of the collections, tried on the engine where they can be."""
    source = require_collections(opened)
    observed = (*source.catalog.operations, *operations)
    found = review(source, shapes, operations=operations, shard_keys=shard_keys, engine=opened.server)
    advice = advise_indexes(source, shapes, observed)
    if opened.server is not None:
        advice = prove_index_advice(advice, source, opened.server, shapes=shapes, operations=observed)
    return in_order([*found, *advice])


def review_collections(
    opened: OpenModel,
    *,
    sample: int = 0,
    strictness: Strictness = "required",
    operations: Path | str | None = None,
    shard_keys: Sequence[str] = (),
) -> Reviewed:
    """`review_model`, and nothing seen where the source has no collections."""
    if opened.collections is None:
        return Reviewed([], {}, {}, {}, [])
    return review_model(
        opened, sample=sample, strictness=strictness, operations=operations, shard_keys=shard_keys
    )


def review_model(
    opened: OpenModel,
    *,
    sample: int = 0,
    strictness: Strictness = "required",
    operations: Path | str | None = None,
    shard_keys: Sequence[str] = (),
) -> Reviewed:
    """Shapes, validators and the documents that would fail them, and findings of the collections of *opened*.

    *sample* is how many random documents of each are read, 0 for all; *operations* is a file of
    operations and their frequencies, *shard_keys* are planned ones (``orders=country,at``). Raises
    SourceError where there are no collections, BadInput.
    """
    if sample < 0:
        raise BadInput(f"a sample of {sample} documents cannot be: give how many, or 0 for all")
    source = require_collections(opened)
    declared = declared_operations(opened, operations)
    planned = planned_shard_keys(shard_keys, source.catalog)
    shapes = shapes_of(source, sample=sample)
    validators = suggested_validators(source, shapes, strictness=strictness)
    failing = failing_counts(opened, source, validators)
    rows = [
        {**row, "failing": _failing(failing.get(row["collection"]))}
        for row in collection_overview(source, shapes)
    ]
    findings = findings_of(opened, shapes, operations=declared, shard_keys=planned)
    # of a scratch database's indexes no use is on record; that each is used is proved by running its query
    untold = [] if opened.database is not None else not_judged(source, operations=declared)
    return Reviewed(rows, shapes, validators, failing, findings, untold)


def planned_shard_keys(written: Sequence[str], catalog: CollectionCatalog) -> dict[str, ShardKey]:
    """Shard keys by collection, written ``orders=country,at`` or ``orders=_id:hashed``. Raises BadInput."""
    planned = {}
    for text in written:
        name, _, key = text.partition("=")
        fields = [part.partition(":") for part in key.split(",")]
        if not name or not all(field and how in ("", "1", "hashed") for field, _, how in fields):
            raise BadInput(f"shard key {text!r}: write collection=field,field or collection=field:hashed")
        if name not in {each.name for each in catalog.collections}:
            raise BadInput(f"shard key {text!r}: there is no collection {name!r}")
        planned[name] = tuple((field, "hashed" if how == "hashed" else 1) for field, _, how in fields)
    return planned


def _failing(failing: Failing | None) -> Any:
    if failing is None:
        return None
    return failing.not_counted_because or failing.failing


def prove_collections(opened: OpenModel, *, failures: bool = True) -> Proofs:
    """What must be refused tried, and what must be used explained, on the engine, never on the source.

    The example's whole design; of any other collections their validators and unique indexes. Without
    *failures* no server is killed. Nothing is tried where there are no collections or no engine.
    """
    if opened.collections is None or opened.server is None:
        return Proofs()
    if opened.database is not None:
        return prove_example(opened.server, opened.database, failures=failures)
    return prove_source(opened.collections, opened.server)


def record_collections(results: AreaResults, opened: OpenModel, proofs: Proofs) -> None:
    """Put what was tried on the collections into *results*, or that it could not be, and what helps."""
    if opened.server is not None:
        record_proofs(results, proofs, opened.server.description)
    elif opened.collections is not None or opened.is_example:
        for claim in _CLAIMS if opened.is_example else _CLAIMS[:1]:
            results.add_proof(
                claim, "not proved", opened.proved_on, why_not=opened.why_no_server, how_to=opened.how_to
            )


def record_not_judged(results: AreaResults, opened: OpenModel, reviewed: Reviewed) -> None:
    """Put into *results* what the checks could not tell of the collections, and why."""
    for line in reviewed.not_judged:
        results.add_proof(
            "The checks have all that they ask for",
            "not proved",
            require_collections(opened).looked_at_on,
            why_not=line,
        )


def prove_model(opened: OpenModel, *, failures: bool = True) -> AreaResults:
    """`prove_collections`, as results. Raises SourceError without collections, EngineError without engine."""
    require_collections(opened)
    require_server(opened)
    results = AreaResults("nosql", "NoSQL model")
    record_collections(results, opened, prove_collections(opened, failures=failures))
    return results
