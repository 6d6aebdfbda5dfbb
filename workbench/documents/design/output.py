"""A design to take away: as a picture, as plain data, and as the commands that make its collections."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from workbench.catalog.model import Catalog, qualified
from workbench.diagrams.document_design import DocumentCard, DocumentField, document_design
from workbench.diagrams.picture import Picture
from workbench.documents.design.choose import BuiltDesign, DesignComparison
from workbench.documents.design.model import CollectionDesign, Computed, Design, Part, Relationship
from workbench.documents.design.values import value_type
from workbench.proof.plain import plain


def picture_of(catalog: Catalog, built: BuiltDesign, *, title: str = "") -> Picture:
    """The collections of *built* as cards, with how many documents of which size there are."""
    cards = [
        DocumentCard(
            name=collection.name,
            fields=tuple(_fields(catalog, built.design, collection)),
            lines=(
                f"{found.documents:,} documents, {found.size_bytes / max(found.documents, 1):,.0f} bytes on "
                f"average, {found.largest_bytes:,} the largest",
            ),
        )
        for collection, found in zip(built.design.collections, built.collections, strict=True)
    ]
    return document_design(cards, title=title or built.name)


def _fields(catalog: Catalog, design: Design, collection: CollectionDesign) -> Iterator[DocumentField]:
    if collection.kind == "buckets" and collection.relationship is not None:
        yield DocumentField("_id", "object", kind="key")
        table = catalog.table(*collection.part.table)
        parent = _home_name(design, collection.relationship)
        for column in collection.relationship.columns:
            yield DocumentField(column, value_type(table.column(column)).bson, 1, refers_to=parent)
        yield DocumentField("bucket", "int", 1)
        yield DocumentField("count", "int")
        yield DocumentField("rows", f"at most {collection.bound}", kind="array")
        yield from _of_part(catalog, design, collection.part, 1, copied=False)
        return
    if not collection.key:
        yield DocumentField("_id", "long", kind="key")
    yield from _of_part(catalog, design, collection.part, 0, copied=False)


def _of_part(
    catalog: Catalog, design: Design, part: Part, depth: int, *, copied: bool
) -> Iterator[DocumentField]:
    table = catalog.table(*part.table)
    referred = {
        column: each
        for each in _references(design)
        if each.child == part.table and not copied
        for column in each.columns[:1]
    }
    compound = [each for each in part.fields if len(each.path) > 1]
    if compound:
        yield DocumentField("_id", "object", depth, "key", copied)
    for each in part.fields:
        relationship = referred.get(each.column)
        yield DocumentField(
            each.path[-1],
            value_type(table.column(each.column)).bson,
            depth + len(each.path) - 1,
            "key" if each.path == ("_id",) else "plain",
            copied,
            _home_name(design, relationship) if relationship else "",
        )
    for nested in part.nested:
        bound = f"the first {nested.bound}" if nested.bound else ""
        kind = nested.shape
        yield DocumentField(nested.name, bound, depth, kind, copied or nested.copies)
        yield from _of_part(catalog, design, nested.part, depth + 1, copied=copied or nested.copies)
    for computed in part.computed:
        yield from _of_computed(computed, depth)


def _of_computed(computed: Computed, depth: int) -> Iterator[DocumentField]:
    yield DocumentField(computed.name, "", depth, "object", True)
    yield DocumentField("count", "int", depth + 1, copied=True)
    for name in computed.sums:
        yield DocumentField(f"sum_{name}", "", depth + 1, copied=True)


def _references(design: Design) -> tuple[Relationship, ...]:
    """The relationships that stay references, or are those of copies."""
    inside = {place.trail[-1].relationship for place in design.places if place.trail and not place.copies}
    return tuple(each for each in design.relationships if each not in inside)


def _home_name(design: Design, relationship: Relationship) -> str:
    homes = design.homes(relationship.parent) if relationship.parent in design.tables else ()
    return homes[0].collection.name if homes else ""


def as_dict(found: DesignComparison) -> dict[str, Any]:
    """The comparison as plain data: patterns, designs with prices, measurements and proofs."""
    data: dict[str, Any] = plain(
        {
            "source": found.source,
            "engine": found.engine,
            "decision": found.decision,
            "patterns": [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "root": qualified(*each.root),
                    "by": each.by,
                    "per_hour": each.per_hour,
                    "assumed": each.assumed,
                    "origin": each.origin,
                    "notes": each.notes,
                }
                for each in found.patterns
            ],
            "unmapped": [{"name": each.name, "reason": each.reason} for each in found.unmapped],
            "excluded": [
                {"relationship": each.relationship.label, "kind": each.kind, "reason": each.reason}
                for each in found.excluded
            ],
            "designs_priced": found.considered,
            "designs": [_built(found, each) for each in found.built],
            "predictions": {"compared": found.compared, "agreed": found.agreed},
            "losses": found.losses,
            "notes": found.notes,
        }
    )
    return data


def _built(found: DesignComparison, built: BuiltDesign) -> Mapping[str, Any]:
    return {
        "name": built.name,
        "choices": [each.label for each in built.design.choices],
        "collections": [
            {
                "name": collection.name,
                "documents": made.documents,
                "size_bytes": made.size_bytes,
                "largest_bytes": made.largest_bytes,
                "indexes": [[list(key) for key in index] for index in built.indexes.get(made.name, ())],
            }
            for collection, made in zip(built.design.collections, built.collections, strict=True)
        ],
        "cost_ms_per_hour": round(built.cost_ms, 1),
        "measured_ms_per_hour": round(built.measured_ms, 1),
        "predicted_ms_per_hour": round(built.predicted_ms, 1),
        "days_to_16_mb": built.price.days_to_limit,
        "rows_found_back": built.verification.rows if built.verification.equal else 0,
        "unequal": [each.what for each in built.verification.unequal],
        "patterns": [
            {
                "name": pattern.name,
                "predicted_ms": round(built.price.patterns[n].warm_ms, 4),
                "documents_read": round(built.price.patterns[n].documents_read, 2),
                "documents_written": round(built.price.patterns[n].documents_written, 2),
                "measured_ms": round(measured.median_ms, 4) if measured else None,
                "documents_examined": measured.documents_examined if measured else None,
                "reply_bytes": measured.reply_bytes if measured else None,
                "modified": measured.modified if measured else None,
            }
            for n, (pattern, measured) in enumerate(zip(found.patterns, built.measured, strict=True))
        ],
    }


def shell_script(built: BuiltDesign) -> str:
    """The commands for mongosh that make the collections of *built* with their indexes, without rows."""
    lines = [f"// {each.label}" for each in built.design.choices] or ["// a collection a table"]
    for collection, made in zip(built.design.collections, built.collections, strict=True):
        name = _text(collection.name)
        lines.append(f"db.createCollection({name});")
        for index in built.indexes.get(made.name, ()):
            keys = ", ".join(f"{_text(path)}: {direction}" for path, direction in index)
            lines.append(f"db.getCollection({name}).createIndex({{{keys}}});")
    return "\n".join(lines) + "\n"


def _text(name: str) -> str:
    return json.dumps(name)
