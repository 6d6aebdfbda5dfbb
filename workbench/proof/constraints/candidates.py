"""Values worth trying for a column: of its type, and around the literals of the conditions on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from workbench.engines.postgres import Connection
from workbench.proof.constraints.expressions import Literals

_LONGEST_TEXT = 10_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_VECTOR = re.compile(r"(?:vector|halfvec)\((\d+)\)")

_INTEGERS = ("1", "0", "2", "-1", "10", "3", "100", "5", "1000", "32767", "-32768")
_LARGE_INTEGERS = ("2147483647", "-2147483648", "1500000000", "9223372036854775807")
_NUMBERS = ("1", "0", "2", "-1", "0.5", "10", "100", "0.00001", "1000000", "-1000000", "1e15", "-1e15", "NaN")
_TEXTS = (
    "a", "A", "", "1", " ", "0", "b", "AA", "aaa", "AAA", "!", "N", "a b", "user@example.com",
    "https://example.com/a", "+4930123456", "x" * 51, "x" * 101, "x" * 256, "x" * 1001, "é",
)  # fmt: skip
_BY_TYPE: dict[str, tuple[str, ...]] = {
    "smallint": _INTEGERS,
    "integer": _INTEGERS + _LARGE_INTEGERS,
    "bigint": _INTEGERS + _LARGE_INTEGERS,
    "numeric": _NUMBERS,
    "real": _NUMBERS,
    "double precision": _NUMBERS,
    "money": ("1", "0", "-1", "10", "1000000"),
    "boolean": ("true", "false"),
    "text": _TEXTS,
    "character varying": _TEXTS,
    "character": _TEXTS,
    "name": _TEXTS,
    '"char"': ("a", "b", "A", "1"),
    "time without time zone": ("12:00", "00:00", "23:59:59", "12:00:01"),
    "time with time zone": ("12:00+00", "00:00+00", "23:59:59+00"),
    "interval": ("1 day", "0", "-1 day", "1 hour", "1 second", "1 month", "1 year", "100 years"),
    "uuid": (
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-0000-0000-000000000000",
        "6f1c2a9e-3b47-4d15-9c8a-5e0d7b21f463",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ),
    "json": ("{}", "[]", "1", "null", '"a"', '{"a": 1}', "true", "[1]"),
    "jsonb": ("{}", "[]", "1", "null", '"a"', '{"a": 1}', "true", "[1]"),
    "bytea": (r"\x01", r"\x", r"\x0102030405", r"\x" + "00" * 16, r"\x" + "00" * 20, r"\x" + "00" * 32),
    "inet": ("10.0.0.1", "10.0.0.0/8", "::1", "192.168.1.1/24", "255.255.255.255"),
    "cidr": ("10.0.0.0/8", "192.168.1.0/24", "::/0", "0.0.0.0/0"),
    "macaddr": ("08:00:2b:01:02:03", "00:00:00:00:00:00"),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "tsvector": ("'a':1", ""),
    "tsquery": ("'a'", ""),
    "xml": ("<a/>", "<a>b</a>"),
    "oid": ("1", "0", "4294967295"),
    "point": ("(0,0)", "(1,1)", "(-1,-1)"),
    "box": ("(1,1),(0,0)", "(0,0),(0,0)"),
    "circle": ("<(0,0),1>", "<(0,0),0>"),
    "pg_lsn": ("0/1", "0/0"),
}
_DATES = ("date", "timestamp without time zone", "timestamp with time zone")
_RANGE_PARTS = (
    "1,10",
    "1,2",
    "20,30",
    "2000-01-01,2000-02-01",
    "2000-01-01,2100-01-01",
    "2030-01-01,2030-01-02",
)
_ANY_TYPE = (
    "a", "1", "0", "b", "a.b", "", "{}", "[]", "(0,0)", "(1,1)", "2000-01-01", "1,1", "1,2,3", "(1,2,3)",
    "empty", "[1,2)", "[1,10)", "<(0,0),1>", "a=>1", '"a"=>"1"', "978-0-306-40615-7", "101", "B",
    "1-2", "127.0.0.1",
    "[(0,0),(1,1)]", "((0,0),(1,1),(1,0))", "((0,0),(1,1))", "{1,2,3}", "{1}", "[1,2,3]", "[1]", "[1,2]",
    *("(" + "," * width + ")" for width in range(32)),
    *("1" * width for width in (2, 3, 4, 5, 8, 16, 32, 64)),
)  # fmt: skip


def of_type(plain_type: str, full_type: str, labels: tuple[str, ...] = ()) -> list[str]:
    """Literals that the type may take; the server decides which of them it does."""
    if labels:
        return list(labels)
    if plain_type.endswith("[]"):
        elements = of_type(plain_type[:-2], full_type.removesuffix("[]"))[:6] or ["1"]
        return ["{" + _element(elements[0]) + "}", "{}", *_arrays(elements)]
    if plain_type in _DATES:
        return list(_dates())
    if plain_type in _BY_TYPE:
        return [*_BY_TYPE[plain_type], *_of_width(full_type)]
    if dimensions := _VECTOR.search(full_type):
        return [
            "[" + ",".join(["1"] * int(dimensions[1])) + "]",
            "[" + ",".join(["0"] * int(dimensions[1])) + "]",
        ]
    if "range" in plain_type:
        return _ranges(multi="multirange" in plain_type)
    return [*_ANY_TYPE, *_of_width(full_type, "1")]


def _of_width(full_type: str, filling: str = "x") -> list[str]:
    """A string as wide as a type such as character(8) or bit(8) has it."""
    found = re.search(r"(?:character|bit)[a-z ]*\((\d+)\)", full_type)
    return [filling * int(found[1])] if found and int(found[1]) <= _LONGEST_TEXT else []


def _element(literal: str) -> str:
    return '"' + literal.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _arrays(elements: list[str]) -> Iterator[str]:
    for element in elements:
        yield "{" + _element(element) + "}"
    yield "{NULL}"
    for count in (2, 3, 11, 101):
        yield "{" + ",".join([_element(elements[0])] * count) + "}"


def _ranges(*, multi: bool) -> list[str]:
    plain = [f"[{part})" for part in _RANGE_PARTS] + ["(,)", "empty", "[2000-01-01,)", "[1,)"]
    return [("{}" if one == "empty" else "{" + one + "}") if multi else one for one in plain]


def _dates() -> Iterator[str]:
    """Days far and near; the near ones before and after the moment, by the distances of ordinary rules."""
    yield from ("2000-01-01", "2000-01-02")
    today = datetime.now(UTC)
    for days in (-1, 1, -30, 31, -366, 366, -7_000, -11_000, -25_600, 0, 7_000, -50_000, 50_000):
        yield (today + timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S+00")
    yield from ("1999-12-31 23:59:59", "1900-01-01", "0001-01-01", "9999-12-31", "infinity", "-infinity")


def around(literals: Literals, plain_type: str) -> list[str]:
    """Literals for a column of *plain_type* drawn from the conditions on it: values and their neighbours."""
    found = list(literals.strings)
    for text in literals.strings:
        found += [text.upper(), text.lower(), *_neighbouring_days(text)]
    for number in dict.fromkeys(literals.numbers):
        found += [format(value, "f") for value in (number, number + 1, number - 1, -number)]
    if plain_type in ("text", "character varying", "character", "name"):
        found += [letter * length for length in _lengths(literals) for letter in ("x", "1")]
    elif plain_type.endswith("[]"):
        found += _arrays_around(literals)
    elif plain_type in ("json", "jsonb"):
        found += _documents(literals)
    elif plain_type == "bytea":
        found += [r"\x" + "00" * length for length in _lengths(literals)]
    return list(dict.fromkeys(found))


def _lengths(literals: Literals) -> Iterator[int]:
    for number in dict.fromkeys(literals.numbers):
        for length in (number, number + 1, number - 1):
            if length == int(length) and 0 <= length <= _LONGEST_TEXT:
                yield int(length)


def _neighbouring_days(text: str) -> list[str]:
    if not _DATE.match(text):
        return []
    try:
        day = date.fromisoformat(text[:10])
        return [str(day + timedelta(days=1)), str(day - timedelta(days=1))]
    except (ValueError, OverflowError):  # 0000-99-99 is text that looks like a day, and has no neighbours
        return []


def _arrays_around(literals: Literals) -> Iterator[str]:
    elements = literals.strings[:20] or ["1"]
    for element in elements:
        yield "{" + _element(element) + "}"
    yield "{" + ",".join(_element(element) for element in elements) + "}"
    for length in _lengths(literals):
        if 0 < length <= 200:
            yield "{" + ",".join([_element(elements[0])] * length) + "}"


def _documents(literals: Literals) -> Iterator[str]:
    keys = [_element(key) for key in dict.fromkeys(literals.strings)][:12]
    for value in ('"a"', "1", "{}", "[]", "true", "null", "-1"):
        yield "{" + ", ".join(f"{key}: {value}" for key in keys) + "}"
        for key in keys:
            yield f"{{{key}: {value}}}"
    for length in _lengths(literals):
        if length <= 200:
            yield "[" + ", ".join(["1"] * length) + "]"


class ValidLiterals:
    """Which literals a type takes, asked once a type and literal."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._of_type: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    def of(self, full_type: str, literals: Iterable[str]) -> list[str]:
        """Those of *literals* that *full_type* takes, as it prints them, each once, in their order."""
        wanted = tuple(dict.fromkeys(literal for literal in literals if "\0" not in literal))
        if not wanted:
            return []
        key = (full_type, wanted)
        if key not in self._of_type:
            cur = self._conn.execute(
                "select pg_temp.workbench_valid_literals(%s, %s)", [full_type, list(wanted)]
            )
            row = cur.fetchone()
            self._of_type[key] = list(row[0]) if row else []
        return self._of_type[key]
