"""What is kept of values: lengths with exact extremes and mean, and the facts of a bounded sample."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from math import ceil
from sys import getsizeof
from typing import Any

from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId

from workbench.catalog.shapes import Spread
from workbench.documents.bson_types import ALIASES, FIXED_BYTES, value_bytes
from workbench.documents.formats import text_format

Few = dict[tuple[type, Any], tuple[int, Any]]  # by type and identity: how often, and the value

FEW_VALUES = 32  # up to this many different ones, all values of the sample are kept
_FEW_LENGTH = 200  # characters of such a value
_AT_ONCE = 128  # values that are looked into together, if they come one by one
_LARGE = 4_096  # bytes of a value that does not wait
_DISTINCT_MOST = 10_000
_LENGTHS_KEPT = 1_024
_PLACES = range(_LENGTHS_KEPT)
_COMPARED = (str, int, Int64, float, bool, Decimal128, datetime, DatetimeMS, ObjectId)
_PASSED_OVER = {kind for kind, name in ALIASES.items() if name in ("object", "array", "null")}
_ORDERED = ("int", "long", "double", "decimal", "date")
_EPOCH = datetime(1970, 1, 1)
_ORDER: dict[type, Callable[[Any], Any]] = {Decimal128: Decimal128.to_decimal, DatetimeMS: int}


class Lengths:
    """Whole numbers as they come: count, total and extremes exactly, quantiles from an even sample."""

    __slots__ = ("_drawn", "count", "kept", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = self.total = self.maximum = 0
        self.minimum: int | None = None
        self.kept: list[int] = []
        self._drawn: random.Random | None = None  # made when first needed: it is large

    def add(self, lengths: Sequence[int]) -> None:
        """Take in *lengths*, which may not be empty."""
        least, most = min(lengths), max(lengths)
        self.minimum = least if self.minimum is None else min(self.minimum, least)
        self.maximum = max(self.maximum, most)
        self.count += len(lengths)
        self.total += sum(lengths)
        self._sample(lengths)

    @property
    def _random(self) -> random.Random:
        if self._drawn is None:
            self._drawn = random.Random(1)  # noqa: S311 - a sample, the same in every run
        return self._drawn

    def _sample(self, lengths: Sequence[int]) -> None:
        """Keep the first, then every so many from a random one on, each in a random place of the kept."""
        room = _LENGTHS_KEPT - len(self.kept)
        if room > 0:
            self.kept += lengths[:room]
            lengths = lengths[room:]
        due = len(lengths) * _LENGTHS_KEPT / self.count
        if due < 1 and self._random.random() >= due:
            return
        step = max(1, self.count // _LENGTHS_KEPT)
        chosen = lengths[self._random.randrange(min(step, len(lengths))) :: step]
        self._replace(chosen)

    def _replace(self, chosen: Sequence[int]) -> None:
        for place, length in zip(self._random.choices(_PLACES, k=len(chosen)), chosen, strict=True):
            self.kept[place] = length

    def merge(self, other: Lengths) -> None:
        """Take in what *other* has seen; the samples are joined by their weight."""
        if other.minimum is None:
            return
        room = _LENGTHS_KEPT - len(self.kept)
        self.kept += other.kept[:room]
        beyond = other.kept[room:]
        if beyond:
            due = _LENGTHS_KEPT * other.count / (self.count + other.count)
            chosen = self._random.sample(beyond, min(len(beyond), int(due + self._random.random())))
            self._replace(chosen)
        self.minimum = other.minimum if self.minimum is None else min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.count += other.count
        self.total += other.total

    def spread(self) -> Spread | None:
        """The distribution, None of nothing."""
        if self.minimum is None:
            return None
        kept = sorted(self.kept) or [self.minimum]

        def quantile(share: float) -> float:
            return float(kept[ceil(share * len(kept)) - 1])  # the nearest rank

        mean = self.total / self.count
        return Spread(
            self.count,
            self.minimum,
            self.maximum,
            mean,
            quantile(0.5),
            quantile(0.95),
            quantile(0.99),
            len(kept),
        )


class Values:
    """What a sample of the scalar values of one field says; nulls are counted elsewhere."""

    __slots__ = (
        "_text_lengths",
        "_waiting",
        "distinct",
        "extremes",
        "few",
        "formats",
        "offered",
        "sampled",
        "sizes",
        "tested",
    )

    def __init__(self) -> None:
        self.offered = 0  # values of any kind
        self.sampled = 0
        self.tested = 0
        self.formats: dict[str, int] = {}
        self.sizes: dict[str, tuple[int, int]] = {}  # alias: values and bytes, of types without a fixed size
        self.distinct: set[int] = set()
        self.few: Few | None = {}
        self.extremes: dict[str, tuple[Any, Any, Any, Any]] = {}
        self._text_lengths: Lengths | None = None
        self._waiting: list[Any] = []

    def offer(self, values: Sequence[Any]) -> None:
        """Take in *values*, when `settle` is called at the latest; objects, arrays, nulls are passed over."""
        self.offered += len(values)
        self._waiting += [value for value in values if value.__class__ not in _PASSED_OVER]
        if len(self._waiting) >= _AT_ONCE or max(map(getsizeof, values), default=0) > _LARGE:
            self.settle()

    def settle(self) -> None:
        """Look into the values that wait for more of them."""
        values, self._waiting = self._waiting, []
        kinds = set(map(type, values))
        for kind in kinds:
            group: list[Any] = (
                values if len(kinds) == 1 else [value for value in values if value.__class__ is kind]
            )
            alias = ALIASES[kind]
            self.sampled += len(group)
            if kind is str:
                self._offer_texts(group)
            elif alias not in FIXED_BYTES:
                self._add_size(alias, len(group), sum(map(value_bytes, group)))
            self._offer_distinct(kind, group)
            if alias in _ORDERED:
                self._offer_extremes("date" if alias == "date" else "number", kind, group)

    def wanting(self, sample: int) -> int:
        """How many more values to look into: *sample* in all of texts that are few, else a quarter of it."""
        return (sample if self.few is not None and self.tested else -(-sample // 4)) - self.offered

    @property
    def strings(self) -> Spread | None:
        return self._text_lengths.spread() if self._text_lengths else None

    def _offer_texts(self, texts: list[str]) -> None:
        self._text_lengths = self._text_lengths or Lengths()
        self._text_lengths.add(list(map(len, texts)))
        self._add_size("string", len(texts), len("".join(texts).encode("utf-8", "replace")) + 5 * len(texts))
        self.tested += len(texts)
        for text, times in Counter(texts).items():
            found = text_format(text)
            if found:
                self.formats[found] = self.formats.get(found, 0) + times

    def _add_size(self, alias: str, count: int, total: int) -> None:
        before = self.sizes.get(alias, (0, 0))
        self.sizes[alias] = (before[0] + count, before[1] + total)

    def _offer_distinct(self, kind: type, group: list[Any]) -> None:
        identities = _identities(kind, group)
        tally = Counter(identities) if self.few is not None else {}
        if len(self.distinct) < _DISTINCT_MOST:
            self.distinct.update(map(hash, zip(repeat(kind), tally or identities)))
        if self.few is None:
            return
        if kind not in _COMPARED or len(tally) > FEW_VALUES or (kind is str and _any_long(group)):
            self.few = None
            return
        values = dict(zip(identities, group, strict=True))
        self.few = _joined(self.few, {(kind, key): (times, values[key]) for key, times in tally.items()})

    def _offer_extremes(self, family: str, kind: type, group: list[Any]) -> None:
        if kind is float:
            group = [value for value in group if value == value]
        elif kind is Decimal128:
            group = [value for value in group if not value.to_decimal().is_nan()]
        if group:
            least, most = min(group, key=_ORDER.get(kind)), max(group, key=_ORDER.get(kind))
            self._add_extremes(family, (_comparable(least), _comparable(most), least, most))

    def _add_extremes(self, family: str, new: tuple[Any, Any, Any, Any]) -> None:
        mine = self.extremes.get(family, new)
        low = mine if mine[0] <= new[0] else new
        high = mine if mine[1] >= new[1] else new
        self.extremes[family] = (low[0], high[1], low[2], high[3])

    def merge(self, other: Values) -> None:
        """Take in what *other* has seen."""
        self._waiting += other._waiting
        if len(self._waiting) >= _AT_ONCE:
            self.settle()
        self.offered += other.offered
        self.sampled += other.sampled
        self.tested += other.tested
        if other._text_lengths is not None:
            self._text_lengths = self._text_lengths or Lengths()
            self._text_lengths.merge(other._text_lengths)
        self.formats = _summed(self.formats, other.formats)
        for alias, (count, total) in other.sizes.items():
            self._add_size(alias, count, total)
        self.distinct |= other.distinct
        self.few = _joined(self.few, other.few)
        for family, extremes in other.extremes.items():
            self._add_extremes(family, extremes)

    def few_values(self) -> tuple[Any, ...] | None:
        """All the values of the sample, the most frequent first; None where they are many or none."""
        if not self.few:
            return None
        return tuple(_shown(value) for _, value in sorted(self.few.values(), key=lambda each: -each[0]))

    def extreme_values(self) -> tuple[Any, Any]:
        """The least and the greatest number, or else date; NaN is passed over."""
        for family in ("number", "date"):
            if family in self.extremes:
                _, _, least, most = self.extremes[family]
                return _shown(least), _shown(most)
        return None, None


def _identities(kind: type, group: list[Any]) -> Sequence[Any]:
    """What tells the values of *group* apart, all of one *kind*: NaN is one value, as in an index."""
    if kind is float:
        return [value if value == value else "NaN" for value in group]
    return group if kind in _COMPARED and kind is not Decimal128 else list(map(repr, group))


def _any_long(texts: list[str]) -> bool:
    return max(map(len, texts)) > _FEW_LENGTH


def _summed(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    return mine | {name: mine.get(name, 0) + times for name, times in theirs.items()}


def _joined(mine: Few | None, theirs: Few | None) -> Few | None:
    if mine is None or theirs is None:
        return None
    joined = dict(mine)
    for identity, (times, value) in theirs.items():
        joined[identity] = (joined.get(identity, (0, value))[0] + times, value)
    return joined if len(joined) <= FEW_VALUES else None


def _comparable(value: Any) -> Any:
    """What orders numbers of all types among each other, and dates; NaN has no such thing."""
    if isinstance(value, datetime):
        return (value - _EPOCH).total_seconds() * 1000
    order = _ORDER.get(type(value))
    return order(value) if order else value


def _shown(value: Any) -> Any:
    """Dates with their time zone, which is UTC; text of a code as such."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    return str(value) if isinstance(value, Code) else value
