"""How collections, keys and values are written for mongosh, and figures for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bson import json_util
from bson.binary import UuidRepresentation

_JSON = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED, uuid_representation=UuidRepresentation.STANDARD
)


def text(value: str) -> str:
    """*value* as a string of mongosh."""
    return json.dumps(value, ensure_ascii=False)


def spelled(value: Any) -> str:
    """*value* as mongosh takes it: relaxed extended JSON."""
    return json_util.dumps(value, json_options=_JSON, ensure_ascii=False)


def shell(collection: str) -> str:
    """The collection as mongosh names it, whatever its name holds."""
    return f"db.getCollection({text(collection)})"


def key_document(key: Sequence[tuple[str, int | str]]) -> str:
    """An index's key as mongosh takes it."""
    return "{" + ", ".join(f"{text(path)}: {json.dumps(way)}" for path, way in key) + "}"


def size(number: float) -> str:
    """Bytes in the unit that is read most easily (1 MB is 2**20 bytes, as the server counts)."""
    for unit, factor in (("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number:.0f} bytes"


def share(part: float, whole: float) -> str:
    """A share in per cent, with as many decimals as it takes to be neither 0 nor 100 where it is not."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    text = f"{percent:.0f}"
    if (text == "0" and part) or (text == "100" and part != whole):
        text = f"{percent:.2g}" if percent < 1 else f"{percent:.4g}"
    return f"{text} %"


def number_of(count: int, noun: str) -> str:
    """``1 string``, ``1,200 strings``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def plain_json(value: Any) -> Any:
    """*value*, which may hold BSON's types, as what JSON can hold (extended JSON, relaxed)."""
    return json.loads(json_util.dumps(value, json_options=_JSON))
