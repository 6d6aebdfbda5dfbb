"""What the ``metadata.json`` of a dump declares about a collection, as facts of the catalog."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bson import json_util
from bson.decimal128 import Decimal128
from bson.errors import BSONError

from workbench.catalog.collections import Collection, CollectionIndex, CollectionKind
from workbench.documents.bson_files import Place

_INDEX_FIELDS = (
    *("v", "key", "name", "ns", "unique", "sparse", "hidden"),
    *("partialFilterExpression", "expireAfterSeconds", "collation"),
)


def parsed_metadata(text: str, place: Place) -> dict[str, Any]:
    """The fields of a ``metadata.json``; none for an empty text. Raises DumpError."""
    if not text.strip():
        return {}
    try:
        fields = json_util.loads(text)
    except (
        BSONError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as exc:
        raise place.error(f"its metadata are not extended JSON: {' '.join(str(exc).split())[:200]}") from exc
    if not isinstance(fields, dict):
        raise place.error("its metadata are not a document")
    for name, kind in (("options", dict), ("indexes", list)):
        if not isinstance(fields.get(name) or kind(), kind):
            raise place.error(f"the {name!r} of its metadata are not of type {kind.__name__}")
    if not all(
        isinstance(each, dict) and isinstance(each.get("key"), dict) for each in fields.get("indexes") or ()
    ):
        raise place.error("an index of its metadata has no key")
    return fields


def described(name: str, fields: Mapping[str, Any], *, kind: str = "") -> Collection:
    """The collection *name* as *fields*, those of its metadata, declare it, without any figures.

    *kind* is as mongodump says it.
    """
    options = fields.get("options") or {}
    time_series = options.get("timeseries")
    kinds: dict[str, CollectionKind] = {"view": "view", "timeseries": "time series"}
    found = kinds.get(kind or fields.get("type") or "", "collection")
    if "viewOn" in options:
        found = "view"
    elif time_series is not None:
        found = "time series"
    return Collection(
        name,
        kind=found,
        capped=bool(options.get("capped")),
        validator=options.get("validator") or None,
        validation_level=str(options.get("validationLevel") or ""),
        validation_action=str(options.get("validationAction") or ""),
        time_series=time_series,
        expire_after_s=_number(options.get("expireAfterSeconds")),
        collation=options.get("collation") or None,
        clustered=bool(options.get("clusteredIndex")),
        view_on=str(options.get("viewOn") or ""),
        pipeline=tuple(options.get("pipeline") or ()),
        indexes=tuple(_index(each) for each in fields.get("indexes") or ()),
    )


def _index(fields: Mapping[str, Any]) -> CollectionIndex:
    key = tuple((path, _direction(value)) for path, value in fields["key"].items())
    return CollectionIndex(
        name=str(fields.get("name") or "_".join(f"{path}_{direction}" for path, direction in key)),
        key=key,
        unique=bool(fields.get("unique")),
        sparse=bool(fields.get("sparse")),
        hidden=bool(fields.get("hidden")),
        partial_filter=fields.get("partialFilterExpression") or None,
        expire_after_s=_number(fields.get("expireAfterSeconds")),
        collation=fields.get("collation") or None,
        options={name: value for name, value in fields.items() if name not in _INDEX_FIELDS},
    )


def _direction(value: object) -> int | str:
    """Old servers kept whatever number or truth value a key was declared with: its sign is what counts."""
    number = _number(value)
    return str(value) if number is None else -1 if number < 0 else 1


def _number(value: object) -> float | None:
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, bool | int | float | Decimal) and not math.isnan(value):
        return float(value)
    return None
