"""BSON decoded so that its types can be told apart, and their names as ``bsonType`` spells them.

What the driver cannot tell: ``undefined`` arrives as null, ``symbol`` as a string, and a ``dbPointer``
as a reference object (all three are deprecated since BSON 1.1). Of a name that a document holds twice,
the last value counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

TELLING: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    uuid_representation=UuidRepresentation.STANDARD,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
# For a document with a UUID of a wrong length, which the former refuse.
LENIENT: CodecOptions[dict[str, Any]] = TELLING.with_options(
    uuid_representation=UuidRepresentation.UNSPECIFIED
)

SCOPED_CODE = "javascriptWithScope"
ALIASES: Mapping[type, str] = {
    dict: "object",
    DBRef: "object",
    list: "array",
    str: "string",
    int: "int",
    Int64: "long",
    float: "double",
    Decimal128: "decimal",
    bool: "bool",
    type(None): "null",
    ObjectId: "objectId",
    datetime: "date",
    DatetimeMS: "date",
    bytes: "binData",
    Binary: "binData",
    UUID: "uuid",
    Regex: "regex",
    Code: "javascript",
    Timestamp: "timestamp",
    MinKey: "minKey",
    MaxKey: "maxKey",
}
FIXED_BYTES: Mapping[str, int] = {  # of a value without its type byte and name; bsonspec.org
    "int": 4,
    "long": 8,
    "double": 8,
    "decimal": 16,
    "bool": 1,
    "null": 0,
    "objectId": 12,
    "date": 8,
    "timestamp": 8,
    "uuid": 21,
    "minKey": 0,
    "maxKey": 0,
}


def value_bytes(value: Any) -> int:
    """What a value of a type without a fixed size takes in BSON, without its type byte and name."""
    if isinstance(value, Code):
        return len(str(value).encode("utf-8", "replace")) + 5
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace")) + 5
    if isinstance(value, bytes):
        return len(value) + 5
    if isinstance(value, Regex):
        pattern = value.pattern if isinstance(value.pattern, bytes) else value.pattern.encode()
        return len(pattern) + 2
    return FIXED_BYTES.get(ALIASES.get(type(value), ""), 0)
