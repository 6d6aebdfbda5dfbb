"""What the ``metadata.json`` of a dump declares about a collection, as facts of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bson import json_util
from bson.decimal128 import Decimal128
from bson.errors import BSONError

from workbench.catalog.collections import Collection
from workbench.catalog.reflect_collections import index_of, listed_collection
from workbench.documents.bson_files import Place


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

    *kind* is as mongodump says it; what older versions of it do not say, the options do.
    """
    options = fields.get("options") or {}
    kind = kind or str(fields.get("type") or "")
    if "viewOn" in options:
        kind = "view"
    elif "timeseries" in options:
        kind = "timeseries"
    indexes = (_as_listed(each) for each in fields.get("indexes") or () if not each.get("clustered"))
    return replace(
        listed_collection({"name": name, "type": kind, "options": options}),
        indexes=tuple(index_of(each) for each in indexes),
    )


def _as_listed(index: Mapping[str, Any]) -> dict[str, Any]:
    """The index as a server lists it today; older ones kept a key of whatever type it was declared with."""
    key = {path: _direction(value) for path, value in index["key"].items()}
    name = index.get("name") or "_".join(f"{path}_{direction}" for path, direction in key.items())
    return {**index, "key": key, "name": str(name)}


def _direction(value: object) -> int | float | str:
    if isinstance(value, Decimal128):
        return float(value.to_decimal())
    return value if isinstance(value, int | float) else str(value)
