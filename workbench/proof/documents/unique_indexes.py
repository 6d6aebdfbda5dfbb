"""Unique indexes proved by trying to break them: the same key twice is refused, what is near it is not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from bson import ObjectId
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure, WriteError

from workbench.catalog.collections import CollectionIndex
from workbench.proof.documents.candidates import breaking
from workbench.proof.documents.rules import Clause, Rule, clauses
from workbench.proof.documents.values import MISSING, near, places, value_at, with_value

Document = Mapping[str, Any]
_DUPLICATE = 11000
_TRIED = 60


@dataclass(frozen=True)
class UniqueAttempt:
    """One unique index, and two documents with the same key.

    *outcome* is "refused" only where the server named this key (*code* 11000). *near_miss* is what was
    tried that differs in the key, or that the index does not cover, and that the server took, as it should;
    a near miss that was refused is told in *reason*, and makes the outcome "not tried".
    """

    collection: str
    index: str
    key: str
    outcome: Literal["refused", "accepted", "not tried"]
    code: int | None = None
    near_miss: tuple[str, ...] = ()
    reason: str = ""


def attempt_unique_indexes(
    database: Database[dict[str, Any]],
    collection: str,
    indexes: Sequence[CollectionIndex],
    good: Sequence[Document],
) -> list[UniqueAttempt]:
    """Try to put the same key twice under each unique index, in scratch collections of *database*.

    Each scratch collection has the one index as *collection* has it in *database* under that name, or as
    *indexes* say where there is no such collection: an index that is not unique there accepts. The
    documents are *good* ones, or made from the index's own key where there is none that it covers.
    """
    declared = _declared(database, collection)
    return [
        _attempt(database, collection, index, declared, good)
        for index in indexes
        if index.unique and index.name != "_id_"
    ]


def _declared(database: Database[dict[str, Any]], collection: str) -> dict[str, dict[str, Any]] | None:
    """The indexes that *collection* really has; None where there is no collection."""
    if collection not in database.list_collection_names(filter={"name": collection}):
        return None
    return {each["name"]: dict(each) for each in database[collection].list_indexes()}


def _attempt(
    database: Database[dict[str, Any]],
    collection: str,
    index: CollectionIndex,
    declared: Mapping[str, dict[str, Any]] | None,
    good: Sequence[Document],
) -> UniqueAttempt:
    key = ", ".join(f"{path} {direction}" for path, direction in index.key)
    blank = UniqueAttempt(collection, index.name, key, "not tried")
    with _indexed(database, index, declared) as scratch:
        base = _covered(scratch, index, good)
        if base is None:
            return replace(blank, reason="no document is known that the index covers, and none could be made")
        scratch.insert_one({**base, "_id": ObjectId()})
        try:
            scratch.insert_one({**base, "_id": ObjectId()})
        except DuplicateKeyError as exc:
            named = list((exc.details or {}).get("keyPattern", {}).items())
            if named != list(index.key):
                return replace(blank, code=exc.code, reason=f"the server names another key, {named}")
            misses, why = _near_misses(scratch, index, base)
            if why:
                return replace(blank, code=exc.code, near_miss=misses, reason=why)
            return replace(blank, outcome="refused", code=exc.code, near_miss=misses)
        why = (
            "the collection has no such index" if declared is not None and index.name not in declared else ""
        )
        return replace(blank, outcome="accepted", reason=why or "the same key was taken twice")


@contextmanager
def _indexed(
    database: Database[dict[str, Any]],
    index: CollectionIndex,
    declared: Mapping[str, dict[str, Any]] | None,
) -> Iterator[Collection[dict[str, Any]]]:
    scratch = database[f"workbench_attempt_{uuid.uuid4().hex[:12]}"]
    database.create_collection(scratch.name)
    try:
        found = _as_declared(index) if declared is None else declared.get(index.name)
        if found is not None:
            database.command("createIndexes", scratch.name, indexes=[found])
        yield scratch
    finally:
        scratch.drop()


def _as_declared(index: CollectionIndex) -> dict[str, Any]:
    found: dict[str, Any] = {"name": index.name, "key": dict(index.key), "unique": True, **index.options}
    if index.sparse:
        found["sparse"] = True
    if index.partial_filter is not None:
        found["partialFilterExpression"] = dict(index.partial_filter)
    if index.collation is not None:
        found["collation"] = dict(index.collation)
    return found


def _covered(
    scratch: Collection[dict[str, Any]], index: CollectionIndex, good: Sequence[Document]
) -> Document | None:
    """A document that has all the index's fields and that its filter lets in."""
    complete = [each for each in good if _is_complete(each, index)]
    for document in (*complete[:_TRIED], _made(index)):
        if _matches(scratch, index.partial_filter or {}, document):
            return document
    return None


def _is_complete(document: Document, index: CollectionIndex) -> bool:
    return all(value_at(document, tuple(path.split("."))) not in (MISSING, None) for path in index.paths)


def _made(index: CollectionIndex) -> Document:
    document: Document = {}
    for path in index.paths:
        document = with_value(document, tuple(path.split(".")), f"workbench {path}")
    for clause in clauses(index.partial_filter or {}):
        value = next(iter(clause.condition.values()))
        asked = (
            next(iter(value.values())) if clause.operator != "$eq" and isinstance(value, Mapping) else value
        )
        if clause.path and clause.operator in ("$eq", "$gte", "$lte", "$in"):
            asked = asked[0] if isinstance(asked, list) and asked else asked
            document = with_value(document, tuple(clause.path.split(".")), asked)
    return document


def _matches(scratch: Collection[dict[str, Any]], query: Mapping[str, Any], document: Document) -> bool:
    """Whether *query* finds *document*; the collection is empty before and after."""
    scratch.insert_one({**document, "_id": ObjectId()})
    try:
        return scratch.find_one(dict(query), {"_id": 1}) is not None
    finally:
        scratch.delete_many({})


def _near_misses(
    scratch: Collection[dict[str, Any]], index: CollectionIndex, base: Document
) -> tuple[tuple[str, ...], str]:
    """What differs from *base* enough to be taken, as it was; and what was refused that should not be."""
    taken: list[str] = []
    another = next(_other_keys(base, index), None)
    if another is not None:
        path, document = another
        if said := _refusal(scratch, document):
            return tuple(taken), f"a document with another {path} is refused, too: {said}"
        taken.append(f"another {path}")
    if index.partial_filter:
        outside = _outside(scratch, index.partial_filter, base, index)
        if outside is None:
            return tuple(taken), ""
        for document in (outside, outside):
            if said := _refusal(scratch, document):
                return tuple(taken), f"a document that the index's filter leaves out is refused: {said}"
        taken.append("the same key twice outside the index's filter")
    return tuple(taken), ""


def _other_keys(base: Document, index: CollectionIndex) -> Iterator[tuple[str, Document]]:
    for path in index.paths:
        place = tuple(path.split("."))
        value = value_at(base, place)
        for inner, leaf in [(place, value), *((place + at, each) for at, each in places(value))]:
            for other in near(leaf):
                yield path, with_value(base, inner, other)


def _outside(
    scratch: Collection[dict[str, Any]],
    partial_filter: Mapping[str, Any],
    base: Document,
    index: CollectionIndex,
) -> Document | None:
    """*base* with the same key and so that *partial_filter* does not find it; the documents there stay."""
    key = {path: value_at(base, tuple(path.split("."))) for path in index.paths}
    candidates = (
        document
        for clause in clauses(partial_filter)
        for document, _ in islice(breaking(_rule(clause), clause, base, {}), _TRIED)
        if all(value_at(document, tuple(path.split("."))) == value for path, value in key.items())
    )
    plain = scratch.database[f"{scratch.name}_filter"]
    try:
        for document in islice(candidates, _TRIED):
            if not _matches(plain, partial_filter, document):
                return document
        return None
    finally:
        plain.drop()


def _rule(clause: Clause) -> Rule:
    return Rule(0, clause.operator, next(iter(clause.condition.values())))


def _refusal(scratch: Collection[dict[str, Any]], document: Document) -> str:
    try:
        scratch.insert_one({**document, "_id": ObjectId()})
    except (WriteError, OperationFailure) as exc:
        return f"{exc.code}: {exc}"
    return ""
