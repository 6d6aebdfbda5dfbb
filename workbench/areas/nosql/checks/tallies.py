"""What one pass over a collection's documents counts for the checks: each question and its tally.

A question is a frozen value that names a collection and paths as `Shape.walk` writes them; its tally
takes every document once. Memory is bounded by the limits below, whatever the number of documents.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeAlias

from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidId

from workbench.documents.bson_types import ALIASES

Names: TypeAlias = tuple[str, ...]
Document: TypeAlias = dict[str, Any]

DISTINCT_LIMIT = 20_000  # different values that a tally keeps; beyond, its count is a lower bound
PAIRS_LIMIT = 20_000  # pairs of age and length that a tally keeps, a sample without bias
EXAMPLES = 5


def type_name(value: Any) -> str:
    """The BSON alias of *value*'s type, as `Shape` names it."""
    return ALIASES.get(type(value), type(value).__name__)


def reached(value: Any, names: Names) -> Iterator[Any]:
    """Every value at *names* below *value*; arrays are entered at ``[]`` and keys that are data at ``*``."""
    if not names:
        yield value
        return
    first, rest = names[0], names[1:]
    if not rest and isinstance(value, dict) and first in value:  # most questions are about such a field
        yield value[first]
        return
    if first == "[]":
        if isinstance(value, list):
            for element in value:
                yield from reached(element, rest)
    elif isinstance(value, dict):
        if first == "*" and "*" not in value:
            for each in value.values():
                yield from reached(each, rest)
        elif first in value:
            yield from reached(value[first], rest)


class Tally(Protocol):
    """What counts; *documents* is how many it was given."""

    documents: int

    def add(self, document: Document) -> None: ...


class Question(Protocol):
    """What is to be counted in *collection*."""

    @property
    def collection(self) -> str: ...

    def tally(self, now: datetime) -> Tally: ...


# Values of a field


@dataclass(frozen=True)
class Values:
    """What the values at *names* are."""

    collection: str
    names: Names

    def tally(self, now: datetime) -> ValueTally:
        return ValueTally(self.names, now)


@dataclass
class ValueTally:
    """Counts of the values of one path. *distinct* stops to grow at its limit: then *complete* is false."""

    names: Names
    now: datetime
    documents: int = 0
    holders: int = 0  # documents with at least one value
    count: int = 0
    types: Counter[str] = field(default_factory=Counter)
    strings: Counter[str] = field(default_factory=Counter)  # by the kinds of `string_kinds`
    string_examples: dict[str, list[str]] = field(default_factory=dict)
    cents: int = 0  # doubles with one or two decimals
    whole: int = 0  # doubles without a fraction
    rounding: int = 0  # doubles a hair beside an amount of at most four decimals: 3599.9700000000003
    rounding_examples: list[float] = field(default_factory=list)
    double_sum: float = 0.0
    _ten_thousandths: int = 0
    past: int = 0  # dates before now
    long_past: int = 0  # dates more than a day before now
    month_old: int = 0  # dates more than 30 days before now
    distinct: Counter[Any] = field(default_factory=Counter)
    complete: bool = True

    @property
    def exact_sum(self) -> Decimal:
        """The sum of the doubles, each rounded to four decimals; exact while they are below 10**11."""
        return Decimal(self._ten_thousandths).scaleb(-4)

    def add(self, document: Document) -> None:
        self.documents += 1
        any_value = False
        for value in reached(document, self.names):
            any_value = True
            self._value(value)
        self.holders += any_value

    def _value(self, value: Any) -> None:
        kind = type_name(value)
        self.count += 1
        self.types[kind] += 1
        if kind == "string":
            self._string(value)
        elif kind == "double":
            self._double(value)
        elif kind == "date":
            self._date(value)
        if kind not in ("object", "array"):
            self._distinct(kind, value)

    def _string(self, value: str) -> None:
        self.strings["empty"] += not value
        for kind in string_kinds(value):
            self.strings[kind] += 1
            examples = self.string_examples.setdefault(kind, [])
            if len(examples) < EXAMPLES and value not in examples:
                examples.append(value)

    def _double(self, value: float) -> None:
        if value != value or value in (float("inf"), float("-inf")):
            return
        self.double_sum += value
        self._ten_thousandths += round(value * 10_000)
        if value == int(value):
            self.whole += 1
        elif value == round(value, 2):
            self.cents += 1
        elif abs(value - round(value, 4)) <= max(abs(value), 1.0) * 1e-12 and value != round(value, 4):
            self.rounding += 1
            if len(self.rounding_examples) < EXAMPLES and value not in self.rounding_examples:
                self.rounding_examples.append(value)

    def _date(self, value: datetime | DatetimeMS) -> None:
        milliseconds = int(value) if isinstance(value, DatetimeMS) else value.timestamp() * 1000
        age_s = self.now.timestamp() - milliseconds / 1000
        self.past += age_s > 0
        self.long_past += age_s > 86_400
        self.month_old += age_s > 30 * 86_400

    def _distinct(self, kind: str, value: Any) -> None:
        key = (kind, hashable(value))
        times = self.distinct.get(key, 0)
        if times or len(self.distinct) < DISTINCT_LIMIT:
            self.distinct[key] = times + 1
        else:
            self.complete = False


def hashable(value: Any) -> Any:
    """*value*, or its text where it cannot be a key of a dictionary."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


_NUMBER = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})(?:\.\d{1,40})?\Z")
_HEX24 = re.compile(r"[0-9a-fA-F]{24}\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_ISO_DATETIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?\s?(?:Z|[+-]\d{2}(?::?\d{2})?)?\Z"
)
_DAY_MONTH_YEAR = re.compile(r"(\d{1,4})[/.](\d{1,2})[/.](\d{1,4})(?:[ T,]+\d{1,2}:\d{2}(?::\d{2})?.*)?\Z")
_WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? "
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"
_WRITTEN_DATE = re.compile(
    rf"(?:{_WEEKDAY})?(?:\d{{1,2}}[ -]{_MONTH}|{_MONTH} \d{{1,2}})[, -]{{1,2}}\d{{4}}"
    r"(?:,? (?:at )?\d{1,2}:\d{2}.{0,30})?\Z"
    rf"|{_WEEKDAY}{_MONTH} {{1,2}}\d{{1,2}} \d{{2}}:\d{{2}}(?::\d{{2}})? (?:[A-Z]{{2,5}} )?\d{{4}}\Z"
)


def string_kinds(text: str) -> list[str]:
    """What *text* could be besides a string: number, decimal number, object id, uuid, date, date and time."""
    kinds: list[str] = []
    if len(text) > 64 or not text:
        return kinds
    if _NUMBER.match(text):
        kinds.append("number")
        if "." in text:
            kinds.append("decimal number")
    if _HEX24.match(text):
        kinds.append("object id")
        if plausible_object_id(text):
            kinds.append("plausible object id")
    elif _UUID.match(text):
        kinds.append("uuid")
    elif _ISO_DATETIME.match(text):
        if _calendar_date(text[:10]):
            kinds.append("date and time")
    elif _ISO_DATE.match(text):
        if _calendar_date(text):
            kinds.append("date")
    elif _day_month_year(text) or _WRITTEN_DATE.match(text):
        kinds.append("other date")
        kinds += _order(text)
    return kinds


def _order(text: str) -> list[str]:
    """Which of day and month comes first in a date of numbers that ends with its year, as far as it tells."""
    found = _DAY_MONTH_YEAR.match(text)
    if found is None or len(found[1]) == 4:
        return []
    first, second = int(found[1]), int(found[2])
    order = ["day first"] if first > 12 else ["month first"] if second > 12 else []
    return ["day and month", *order]


def plausible_object_id(text: str) -> bool:
    """Whether the time in an ObjectId written as *text* is after the format was made and not to come."""
    try:
        made = ObjectId(text).generation_time
    except InvalidId:
        return False
    return datetime(2009, 1, 1, tzinfo=UTC) < made < datetime.now(UTC) + timedelta(days=1)


def _calendar_date(text: str) -> bool:
    try:
        return 1800 <= date.fromisoformat(text).year <= 2300
    except ValueError:
        return False


def _day_month_year(text: str) -> bool:
    """``31/12/2024``, ``12/31/2024``, ``2024/12/31`` and the same with dots, with or without a time."""
    found = _DAY_MONTH_YEAR.match(text)
    if not found:
        return False
    first, second, third = (int(part) for part in found.groups())
    if len(found[1]) == 4:
        return 1800 <= first <= 2300 and 1 <= second <= 12 and 1 <= third <= 31
    if len(found[3]) != 4 or not 1800 <= third <= 2300:
        return False
    return 1 <= min(first, second) <= 12 and max(first, second) <= 31 and min(first, second) >= 1


# Lengths of an array


@dataclass(frozen=True)
class Lengths:
    """How long the arrays at *names* are, and whether they grow with the age of their document."""

    collection: str
    names: Names

    def tally(self, now: datetime) -> LengthTally:
        return LengthTally(self.names)


@dataclass
class LengthTally:
    """How often each length occurs, the same for the scalars in them, and ages beside lengths."""

    names: Names
    documents: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    numbers_only: int = 0  # arrays that hold nothing but numbers
    pairs: list[tuple[float, int]] = field(default_factory=list)  # when the document was made (s), length
    _seen: int = 0
    _random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - a sample, no secret

    def add(self, document: Document) -> None:
        self.documents += 1
        longest = -1
        for value in reached(document, self.names):
            if isinstance(value, list):
                length = len(value)
                self.lengths[length] += 1
                longest = max(longest, length)
                self.numbers_only += length > 0 and all(isinstance(each, int | float) for each in value)
        made = made_at(document)
        if longest >= 0 and made is not None:
            self._pair((made, longest))

    def _pair(self, pair: tuple[float, int]) -> None:
        """Reservoir sampling (Vitter 1985, algorithm R)."""
        self._seen += 1
        if len(self.pairs) < PAIRS_LIMIT:
            self.pairs.append(pair)
        else:
            position = self._random.randrange(self._seen)
            if position < PAIRS_LIMIT:
                self.pairs[position] = pair


_MADE = ("createdAt", "created_at", "created", "createdOn", "created_on", "insertedAt", "registeredAt")


def made_at(document: Document) -> float | None:
    """When the document was made, in seconds of the epoch: by a field that says so, else by its ObjectId."""
    for name in _MADE:
        if isinstance(document.get(name), datetime):
            return float(document[name].timestamp())
    identity = document.get("_id")
    if isinstance(identity, ObjectId):
        return identity.generation_time.timestamp()
    return None


# Types of a field by the value of another one


@dataclass(frozen=True)
class TypesBy:
    """Which types the field at *names* has for each value of each of *others*.

    *others* are pairs: how many of the names lead to the object that holds the other field, and its name.
    """

    collection: str
    names: Names
    others: tuple[tuple[int, str], ...]

    def tally(self, now: datetime) -> TypesByTally:
        return TypesByTally(self.names, self.others)


@dataclass
class TypesByTally:
    """*by*[other] counts (value of the other field, family of types), None where it is missing."""

    names: Names
    others: tuple[tuple[int, str], ...]
    documents: int = 0
    types: Counter[str] = field(default_factory=Counter)
    by: dict[tuple[int, str], Counter[tuple[Any, str]]] = field(default_factory=dict)

    def add(self, document: Document) -> None:
        self.documents += 1
        for holders, value in _with_holders(document, self.names, ((0, document),)):
            family = type_family(type_name(value))
            if family == "null":
                continue
            self.types[family] += 1
            for other in self.others:
                counts = self.by.setdefault(other, Counter())
                if len(counts) < DISTINCT_LIMIT:
                    counts[(_other_value(holders, other), family)] += 1


_NUMBERS = ("int", "long", "double", "decimal")


def type_family(name: str) -> str:
    """Types that compare with each other as one: the numbers, and both kinds of binary data."""
    if name in _NUMBERS:
        return "number"
    return "binData" if name == "uuid" else name


def _other_value(holders: Sequence[tuple[int, Document]], other: tuple[int, str]) -> Any:
    depth, name = other
    for at, holder in holders:
        if at == depth:
            value = holder.get(name)
            return hashable(value) if not isinstance(value, dict | list) else type_name(value)
    return None


def _with_holders(
    value: Any, names: Names, holders: tuple[tuple[int, Document], ...], depth: int = 0
) -> Iterator[tuple[tuple[tuple[int, Document], ...], Any]]:
    """Every value at *names* with the objects above it, each by how many names lead to it."""
    if depth == len(names):
        yield holders, value
        return
    name = names[depth]
    below: Sequence[Any]
    if name == "[]":
        below = value if isinstance(value, list) else ()
    elif not isinstance(value, dict):
        below = ()
    elif name == "*" and "*" not in value:
        below = list(value.values())
    else:
        below = (value[name],) if name in value else ()
    for each in below:
        deeper = (*holders, (depth + 1, each)) if isinstance(each, dict) else holders
        yield from _with_holders(each, names, deeper, depth + 1)


# Arrays beside arrays, keys of a shard key


@dataclass(frozen=True)
class ArraysBeside:
    """In how many documents the one and the other path are an array, and both."""

    collection: str
    one: Names
    other: Names

    def tally(self, now: datetime) -> ArraysBesideTally:
        return ArraysBesideTally(self.one, self.other)


@dataclass
class ArraysBesideTally:
    one: Names
    other: Names
    documents: int = 0
    ones: int = 0
    others: int = 0
    both: int = 0

    def add(self, document: Document) -> None:
        self.documents += 1
        one = any(isinstance(value, list) for value in reached(document, self.one))
        other = any(isinstance(value, list) for value in reached(document, self.other))
        self.ones += one
        self.others += other
        self.both += one and other


@dataclass(frozen=True)
class Keys:
    """How often each combination of the values at *paths* occurs, and whether the first one only grows."""

    collection: str
    paths: tuple[Names, ...]

    def tally(self, now: datetime) -> KeyTally:
        return KeyTally(self.paths)


@dataclass
class KeyTally:
    paths: tuple[Names, ...]
    documents: int = 0
    distinct: Counter[Any] = field(default_factory=Counter)
    complete: bool = True
    rising: int = 0  # documents whose first value is at least that of the one before
    _before: Any = None

    def add(self, document: Document) -> None:
        self.documents += 1
        key = tuple(
            (type_name(value), hashable(value))
            for value in (next(reached(document, names), None) for names in self.paths)
        )
        if key in self.distinct or len(self.distinct) < DISTINCT_LIMIT:
            self.distinct[key] += 1
        else:
            self.complete = False
        first = key[0][1]
        if self._before is not None and type(first) is type(self._before):
            try:
                self.rising += first >= self._before
            except TypeError:
                self.rising += 0
        self._before = first
