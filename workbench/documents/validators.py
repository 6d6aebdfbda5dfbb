"""The validator that a collection's shape asks for, and how many documents it would refuse.

The dialect is that of the server's ``$jsonSchema``: ``bsonType`` with BSON's names (``integer`` is none),
neither ``required`` nor ``enum`` empty, no type twice. Source: MongoDB manual, "$jsonSchema".

Names. In ``properties`` and ``required`` a dot is a path, so that a name that holds a dot is described by
a pattern, and cannot be required. The empty name goes by a pattern too: as a property it makes
MongoDB 6.0.5 abort on the first document that fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bson import decode_all
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import DocumentTooLarge, OperationFailure

from workbench.catalog.shapes import Node, Shape, written
from workbench.engines.mongo_reading import ReadOnlyDatabase
from workbench.engines.mongo_server import MongoServer
from workbench.errors import BadInput, SourceTimeout

Strictness = Literal["types", "required", "closed"]
Schema = dict[str, Any]

STRICTNESSES: tuple[Strictness, ...] = ("types", "required", "closed")
_FEW_VALUES = 12  # of a field that is limited to the values seen,
_TIMES_EACH = 5  # each of which was seen as often on average
_DEEPEST = 150  # levels of BSON that the schema has; the server takes 200 with the command around it
_LONGEST_NAME = 1_000
_EXAMPLES = 5
_SENT_BYTES = 8 << 20  # of documents sent to be checked at a time; a larger document goes alone
_OVERFLOW = 15  # the server's code for what is nested too deeply
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


class Documents(Protocol):
    """Where documents are counted: a live database, or a dump as batches of BSON."""

    @property
    def database(self) -> ReadOnlyDatabase | None: ...

    def batches(self, collection: str) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Failing:
    """How many of *documents* a validator refuses, with the _id of a few.

    Both counts are None where they could not be taken; *not_counted_because* says why, in one line.
    """

    documents: int | None
    failing: int | None
    examples: tuple[Any, ...] = ()
    not_counted_because: str = ""


def suggest_validator(shape: Shape, *, strictness: Strictness = "required") -> Schema:
    """A validator of what *shape* has seen: ``{"$jsonSchema": …}``. Raises BadInput.

    ``types`` names the types of every field, ``required`` also the fields that are always there,
    ``closed`` allows no others. Strings are limited to the values seen where all documents were looked
    into and the values are few. What cannot be said is left out: see `left_out`.
    """
    if strictness not in STRICTNESSES:
        raise BadInput(f"strictness {strictness!r} is not one of {', '.join(STRICTNESSES)}")
    schema = {"bsonType": "object", **_object_rules(shape.root, strictness, whole=shape.full, depth=1)}
    if "additionalProperties" in schema:
        schema.setdefault("properties", {}).setdefault("_id", {})
    return {"$jsonSchema": schema}


def left_out(shape: Shape) -> list[str]:
    """What the suggested validator does not say, and why, a line each."""
    said = []
    deepest = 0
    for names, node in shape.walk():
        deepest = max(deepest, len(names))
        if len(node.name) > _LONGEST_NAME:
            said.append(f"a name of {len(node.name):,} characters: too long for a rule")
        elif node.kind == "field" and not node.optional and not _is_property(node.name):
            said.append(f"{written(names)} is always there: a validator cannot require such a name")
    if 2 * deepest > _DEEPEST:
        said.append(f"what is nested {_DEEPEST // 2} levels deep or deeper")
    if not shape.full:
        said.append("which values there are: only a sample was read")
    return said


def count_failing(
    source: Documents, collection: str, validator: Mapping[str, Any], engine: MongoServer | None
) -> Failing:
    """How many documents of *collection* the *validator* refuses, as the server itself judges it.

    A live database is asked; the documents of a dump are given to *engine*, some MB at a time, without
    being stored. Raises BadInput for a validator that the server does not accept, and SourceError.
    """
    if source.database is not None:
        return _failing_live(source.database, collection, validator)
    if engine is None:
        return Failing(None, None, not_counted_because="there is no MongoDB here to ask")
    if engine.version < (6, 0, 0):
        return Failing(None, None, not_counted_because=f"{engine.description} lacks $documents (MongoDB 6.0)")
    with engine.scratch_database(label="failing") as database:
        return _failing_of_batches(database, source.batches(collection), validator)


# the schema


def _object_rules(node: Node, strictness: Strictness, *, whole: bool, depth: int) -> Schema:
    """What holds for the objects under *node*, without their type; *depth* counts levels of the schema."""
    if depth > _DEEPEST:
        return {}
    fields = [child for child in node.children if child.kind == "field"]
    keys = [child for child in node.children if child.kind == "key"]
    rules: Schema = {}
    required = [child.name for child in fields if not child.optional and _is_property(child.name)]
    if required and strictness != "types":
        rules["required"] = required
    properties: Schema = {}
    patterns: Schema = {}
    for child in fields:
        described = _value_rules(child, strictness, whole=whole, depth=depth + 2)
        if _is_property(child.name):
            properties[child.name] = described
        elif len(child.name) <= _LONGEST_NAME:
            patterns[_pattern(child.name)] = described
    if properties:
        rules["properties"] = properties
    if patterns:
        rules["patternProperties"] = patterns
    all_described = len(properties) + len(patterns) == len(fields)
    if keys and all_described:
        rules["additionalProperties"] = _value_rules(keys[0], strictness, whole=whole, depth=depth + 1)
    elif strictness == "closed" and all_described:
        rules["additionalProperties"] = False
    return rules


def _value_rules(node: Node, strictness: Strictness, *, whole: bool, depth: int) -> Schema:
    """What holds for the values of *node*: the types seen, what is in them, and few values."""
    types = dict.fromkeys({"uuid": "binData"}.get(each, each) for each in node.types)
    rules: Schema = {"bsonType": next(iter(types)) if len(types) == 1 else list(types)} if types else {}
    if "object" in types:
        rules |= _object_rules(node, strictness, whole=whole, depth=depth)
    for child in node.children:
        if child.kind == "element" and depth < _DEEPEST:
            rules["items"] = _value_rules(child, strictness, whole=whole, depth=depth + 1)
    if whole and strictness != "types" and _has_few_values(node):
        values = list(node.values or ())
        rules["enum"] = [*values, None] if "null" in types else values
        rules["description"] = f"one of the {len(values)} values that all {node.count:,} have"
    return rules


def _has_few_values(node: Node) -> bool:
    """Whether all the strings of *node* were looked into and are few, each of which comes again."""
    strings = node.types.get("string", 0)
    return (
        set(node.types) <= {"string", "null"}
        and node.values is not None
        and node.sampled == strings
        and 1 < len(node.values) <= _FEW_VALUES
        and strings >= _TIMES_EACH * len(node.values)
    )


def _is_property(name: str) -> bool:
    """Whether ``properties`` can hold *name*: it is no path, not empty and not immense."""
    return bool(name) and "." not in name and len(name) <= _LONGEST_NAME


def _pattern(name: str) -> str:
    r"""*name* and no other as a pattern: ``\z`` is the very end, where ``$`` lets a line end pass."""
    return rf"^{re.escape(name)}\z"


# the count


def _failing_live(database: ReadOnlyDatabase, collection: str, validator: Mapping[str, Any]) -> Failing:
    refused = {"$nor": [validator]}
    try:
        documents = _only_count(database.aggregate(collection, [{"$count": "documents"}]))
        failing = _only_count(database.aggregate(collection, [{"$match": refused}, {"$count": "documents"}]))
        if not failing:
            return Failing(documents, 0)
        examples = database.find(collection, refused, projection={"_id": 1}, limit=_EXAMPLES)
        return Failing(documents, failing, tuple(each.get("_id") for each in examples))
    except SourceTimeout as exc:
        return Failing(None, None, not_counted_because=str(exc))


def _only_count(rows: Iterable[Mapping[str, Any]]) -> int:
    return next((int(row["documents"]) for row in rows), 0)


class _DocumentsNotTaken(Exception):
    """Documents of a file are more than the server can be sent."""


def _failing_of_batches(
    database: Database[dict[str, Any]], batches: Iterable[bytes], validator: Mapping[str, Any]
) -> Failing:
    documents = failing = 0
    examples: list[Any] = []
    for piece in _pieces(batches):
        documents += len(piece)
        try:
            found = _refused(database, piece, validator)
        except _DocumentsNotTaken as exc:
            return Failing(None, None, not_counted_because=str(exc))
        failing += found["failing"]
        examples += found["examples"][: _EXAMPLES - len(examples)]
    return Failing(documents, failing, tuple(examples))


def _refused(
    database: Database[dict[str, Any]], documents: list[RawBSONDocument], validator: Mapping[str, Any]
) -> dict[str, Any]:
    """How many of *documents* fail, and the _id of a few; they are sent with the question, not stored."""
    pipeline: list[Mapping[str, Any]] = [
        {"$documents": {"$literal": documents}},
        {"$match": {"$nor": [validator]}},
        {
            "$group": {
                "_id": None,
                "failing": {"$sum": 1},
                "examples": {"$firstN": {"input": "$_id", "n": _EXAMPLES}},
            }
        },
    ]
    try:
        rows = list(database.aggregate(pipeline))
    except DocumentTooLarge as exc:
        raise _DocumentsNotTaken("the server takes no document so large") from exc
    except OperationFailure as exc:
        if exc.code == _OVERFLOW:
            raise _DocumentsNotTaken("the server takes no document nested so deeply") from exc
        raise BadInput(
            f"the server does not accept the validator: {exc.args[0].split(', full error')[0]}"
        ) from exc
    return rows[0] if rows else {"failing": 0, "examples": []}


def _pieces(batches: Iterable[bytes]) -> Iterator[list[RawBSONDocument]]:
    """The documents of *batches* in groups that fit into one command."""
    for batch in batches:
        piece: list[RawBSONDocument] = []
        size = 0
        for document in decode_all(batch, _RAW):
            size += len(document.raw)
            if piece and size > _SENT_BYTES:
                yield piece
                piece, size = [], len(document.raw)
            piece.append(document)
        if piece:
            yield piece
