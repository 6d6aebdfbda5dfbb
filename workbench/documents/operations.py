"""Operations that an architect declares in a file, so that indexes and designs can be judged by them.

A list in JSON, each operation named by its kind, whose value is its filter (a pipeline for aggregate)::

    [
      {"collection": "orders", "find": {"customerId": "<objectId>", "status": "paid"},
       "sort": {"createdAt": -1}, "limit": 20, "per_hour": 3600},
      {"collection": "orders", "update": {"_id": "<objectId>"}, "per_hour": 900}
    ]

A value may be written as it is, also in extended JSON ({"$date": …}), or as the name of its type in
angle brackets: then the proofs take values from the documents.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bson import json_util
from bson.binary import UuidRepresentation
from bson.errors import BSONError

from workbench.catalog.collections import CollectionCatalog, Operation
from workbench.catalog.observed_operations import of_pipeline, ordered
from workbench.errors import BadInput, SourceError

KINDS = ("find", "aggregate", "update", "delete", "count", "distinct", "insert")
_OTHERS = ("collection", "sort", "projection", "limit", "collation", "per_hour")
_JSON = json_util.JSONOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)
_SPACE = re.compile(r"[\s\ufeff]*")


def operations_from_file(path: str | Path, *, catalog: CollectionCatalog | None = None) -> list[Operation]:
    """The operations that the file *path* declares, in its order.

    With a *catalog*, each collection must be in it. Raises SourceError where the file cannot be read,
    BadInput with the file's name and line for what it says.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as exc:
        raise SourceError(f"{path}: cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise SourceError(f"{path}: is not UTF-8: save it in that encoding") from exc
    declared = []
    for line, entry in _entries(text, str(path)):
        try:
            declared.append(declared_operation(entry))
            if catalog is not None:
                _require_collection(declared[-1].collection, catalog)
        except BadInput as exc:
            raise BadInput(f"{path}:{line}: {exc}") from exc
    return [replace(operation, origin=Path(path).name) for operation in declared]


def _entries(text: str, path: str) -> list[tuple[int, Any]]:
    """The elements of the list in *text*, each with its line. Raises BadInput."""
    decoder = json.JSONDecoder(object_pairs_hook=_document)
    at = _skipped(text, 0)
    if text[at : at + 1] != "[":
        raise BadInput(f"{path}:{_line(text, at)}: must be a list of operations: begin it with [")
    found: list[tuple[int, Any]] = []
    at = _skipped(text, at + 1)
    while text[at : at + 1] != "]" or found:
        begin = at
        try:
            entry, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as exc:
            raise BadInput(f"{path}:{exc.lineno}: is not JSON: {exc.msg.lower()}") from exc
        except RecursionError as exc:
            raise BadInput(f"{path}:{_line(text, begin)}: is nested too deeply") from exc
        except (BadInput, BSONError, ValueError, TypeError, KeyError, ArithmeticError) as exc:
            said = " ".join(str(exc).split()) or type(exc).__name__
            raise BadInput(f"{path}:{_line(text, begin)}: {said}") from exc
        found.append((_line(text, begin), entry))
        at = _skipped(text, at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise BadInput(f"{path}:{_line(text, at)}: is not JSON: a comma or ] is missing")
        at = _skipped(text, at + 1)
    end = _skipped(text, at + 1)
    if end < len(text):
        raise BadInput(f"{path}:{_line(text, end)}: there is more after the list")
    return found


def _skipped(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _document(pairs: list[tuple[str, Any]]) -> Any:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{twice!r} is written twice in one document")
    return json_util.object_pairs_hook(pairs, _JSON)


def declared_operation(entry: Any) -> Operation:
    """The operation that *entry*, a document of the file, declares. Raises BadInput."""
    if not isinstance(entry, Mapping):
        raise BadInput('an operation is a document, such as {"collection": "orders", "find": {…}}')
    unknown = [name for name in entry if name not in (*KINDS, *_OTHERS)]
    if unknown:
        raise BadInput(f"{unknown[0]!r} is not known here: use {', '.join((*_OTHERS, *KINDS))}")
    kinds = [name for name in KINDS if name in entry]
    if len(kinds) != 1:
        raise BadInput(f"one of {', '.join(KINDS)} says what the operation is; {_count(len(kinds))} given")
    kind = kinds[0]
    operation = _of_kind(kind, entry[kind])
    sort = _typed(entry, "sort", Mapping, 'a document, such as {"createdAt": -1}') or {}
    if any(isinstance(way, bool) or way not in (1, -1) for way in sort.values()):
        raise BadInput("each direction in sort is 1 or -1")
    if sort and operation.sort:
        raise BadInput("the pipeline sorts already: leave sort out")
    collation = _typed(entry, "collation", Mapping, "a document with a locale")
    if collation is not None and not isinstance(collation.get("locale"), str):
        raise BadInput('collation needs a locale, such as {"locale": "en", "strength": 2}')
    return replace(
        operation,
        collection=_collection(entry),
        sort=operation.sort or ordered(sort),
        projection=_typed(entry, "projection", Mapping, "a document"),
        limit=operation.limit or _limit(entry.get("limit", 0)),
        collation=collation,
        per_hour=_per_hour(entry.get("per_hour")),
    )


def _count(number: int) -> str:
    return "none is" if number == 0 else f"{number} are"


def _of_kind(kind: str, value: Any) -> Operation:
    if kind == "aggregate":
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise BadInput("aggregate takes a pipeline, a list of stages")
        return of_pipeline(value, values=True)
    if not isinstance(value, Mapping):
        raise BadInput(f"{kind} takes a filter, a document; {{}} for all")
    return Operation("", kind, dict(value))  # type: ignore[arg-type]


def _collection(entry: Mapping[str, Any]) -> str:
    name = entry.get("collection")
    if not isinstance(name, str) or not name:
        raise BadInput("collection is missing: the name of the collection, in quotes")
    return name


def _limit(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadInput("limit is a whole number, 0 for none")
    return int(value)


def _per_hour(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise BadInput("per_hour is a number above 0")
    return float(value)


def _typed(entry: Mapping[str, Any], name: str, kind: type, words: str) -> Any:
    value = entry.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadInput(f"{name} is {words}")
    return value


def _require_collection(name: str, catalog: CollectionCatalog) -> None:
    names: Sequence[str] = [each.name for each in catalog.collections]
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, names[:5]))}"
        raise BadInput(f"there is no collection {name!r} in {catalog.database}: {hint}")
