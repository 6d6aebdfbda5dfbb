"""What the text in a string or in a field's name looks like: anchored patterns, one answer a text."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DAY = r"(?:1[5-9]|2\d)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PATTERNS = {  # in the order in which they are tried
    "integer": r"[+-]?\d{1,40}",
    "decimal": r"[+-]?\d{1,40}\.\d{1,40}",
    "iso date": _DAY,
    "iso datetime": rf"{_DAY}[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{{1,9}})?)?"
    r"(?:Z|[+-][01]\d:?[0-5]\d)?",
    "uuid": r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}",
    "objectId": r"[0-9a-fA-F]{24}",
    "ip": rf"{_OCTET}(?:\.{_OCTET}){{3}}|(?:[0-9a-fA-F]{{1,4}}:){{7}}[0-9a-fA-F]{{1,4}}"
    r"|(?=[0-9a-fA-F:]*::)(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}",
    "email": r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_]{2,24}",
    "url": r"(?:https?|ftp|wss?)://[^\s/?#]+(?:[/?#]\S*)?",
}
_FORMATS = tuple(_PATTERNS)
_ANY_FORMAT = re.compile("|".join(f"({pattern})" for pattern in _PATTERNS.values()))
_LONGEST = 2_000  # characters of a text that is tested
_HEX = "[0-9a-fA-F]"
_DATA_KEY = (
    rf"{_HEX}{{24}}|\d{{1,40}}|{_DAY}(?:[T ][^\0\n]{{1,30}})?|(?:1[5-9]|2\d)\d\d-(?:0[1-9]|1[0-2])"
    rf"|{_PATTERNS['uuid']}|{_HEX}{{32}}|{_HEX}{{40}}|{_HEX}{{64}}"
    rf"|{_PATTERNS['email']}|{_OCTET}(?:\.{_OCTET}){{3}}"
)
_DATA_KEYS = re.compile(rf"(?:(?:{_DATA_KEY})\0)*+")  # each followed by a zero, which no name holds


def text_format(text: str) -> str:
    """The format of *text* (``email``, ``uuid``, ``iso date`` …), "" where it has none of these."""
    if len(text) > _LONGEST:
        return ""
    found = _ANY_FORMAT.fullmatch(text)
    return _FORMATS[(found.lastindex or 1) - 1] if found else ""


def is_data_key(name: str) -> bool:
    """Whether a field's name is written as data is: a number, a date, a month, an id, a hash, an address."""
    return are_data_keys((name,))


def are_data_keys(names: Iterable[str]) -> bool:
    """Whether all the *names*, one at least, are written as data is."""
    return _DATA_KEYS.fullmatch("\0".join(names) + "\0") is not None
