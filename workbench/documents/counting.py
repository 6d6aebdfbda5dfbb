"""Counts of field paths and types over decoded documents: a path at a time, not a value at a time.

A chunk of documents is worked through path by path: the names and types of all its objects are counted
by iterators that run in C, and the nested objects and arrays of a path go on as one list. Objects of one
path mostly have few *signatures* (their names and types in order), so that it is these that are counted;
they are broken down into fields when they are many, and at the end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any

from bson.code import Code
from bson.dbref import DBRef

from workbench.documents.bson_types import ALIASES, SCOPED_CODE
from workbench.documents.samples import Lengths, Values

Document = dict[str, Any]
Signature = tuple[tuple[str, ...], tuple[type, ...]]

_NESTED = frozenset({dict, list, DBRef, Code})
_PENDING_NAMES = 1 << 16  # names in the signatures of one path before they are broken down
_PENDING_NAMES_ALL = 1 << 18
_FEW_NESTED = 12  # nested fields of a path that are looked up one by one
_SAMPLED_CHUNKS = 32  # beyond the first occurrences, every so many chunks are sampled
_SAMPLED_AT_ONCE = 24
_RARE = 64  # a field with fewer sampled values is looked for
_KEYS_COUNTED = 50_000

_flatten = chain.from_iterable


@dataclass(slots=True, eq=False)
class Field:
    """What was counted of one field path, of all elements of an array, or of all keys that are data."""

    types: Counter[type | str] = field(default_factory=Counter)
    values: Values = field(default_factory=Values)
    objects: Objects | None = None
    arrays: Arrays | None = None


@dataclass(slots=True, eq=False)
class Arrays:
    """The arrays of one path: how long they are, and their elements."""

    lengths: Lengths = field(default_factory=Lengths)
    elements: Field = field(default_factory=Field)


@dataclass(slots=True, eq=False)
class Objects:
    """The objects of one path: how many, and their fields.

    *key* stands for the fields whose names are data: those for which *is_key* holds, except *fields*.
    Where *opaque*, what lies below these was not looked at.
    """

    count: int = 0
    fields: dict[str, Field] = field(default_factory=dict)
    nested: dict[str, set[type]] = field(default_factory=dict)  # the fields that hold more
    signatures: Counter[Signature] = field(default_factory=Counter)
    pairs: Counter[tuple[str, type]] = field(default_factory=Counter)  # where signatures are too many
    pending_names: int = 0
    pending_objects: int = 0
    by_signature: bool = True
    key: Field | None = None
    is_key: Callable[[str], bool] | None = None
    opaque: bool = False
    keys_seen: set[int] = field(default_factory=set)
    judged_at: int = 16  # how many fields make it worth another look whether their names are data

    @property
    def occurrences(self) -> Counter[str]:
        """How often each field occurs, of what has been broken down."""
        return Counter({name: found.types.total() for name, found in self.fields.items()})

    def see_keys(self, names: Iterable[str]) -> None:
        if len(self.keys_seen) < _KEYS_COUNTED:
            self.keys_seen.update(map(hash, names))


Work = tuple[Objects | Field, list[Any]]


class Counting:
    """One run over a collection. *paths* counts the fields; *full* closes the list of paths to new ones."""

    def __init__(self, *, sample: int, seed: int) -> None:
        self.root = Objects()
        self.paths = 0
        self.full = False
        self.grown: list[Objects] = []  # objects whose fields became more in the last chunk
        self._sample = sample
        self._random = random.Random(seed)  # noqa: S311 - a sample, the same in every run
        self._chunk = 0
        self._pending: dict[int, Objects] = {}
        self._pending_names = 0

    def add(self, documents: list[Document]) -> None:
        """Count the *documents* of one chunk."""
        self.grown = []
        self._chunk += 1
        work: list[Work] = [(self.root, documents)]
        while work:
            target, values = work.pop()
            if isinstance(target, Objects):
                work += self._add_objects(target, values)
            else:
                work += self._add_values(target, values)
        if self._pending_names > _PENDING_NAMES_ALL:
            self.settle()

    def settle(self) -> None:
        """Break down all the signatures that are still counted as such."""
        for objects in list(self._pending.values()):
            self._break_down(objects)

    # objects

    def _add_objects(self, objects: Objects, documents: list[Document]) -> Iterable[Work]:
        sampled, others = self._sampled(objects, documents)
        known = len(objects.fields)
        objects.count += len(documents)
        if objects.key is not None and not objects.opaque:
            documents, work = self._without_keys(objects, documents)
            yield from work
            if not documents:
                return
        yield from self._add_fields(objects, documents)
        if sampled:
            self._offer(objects, sampled)
        if self._chunk % _SAMPLED_CHUNKS == 0 or len(objects.fields) > known:
            self._offer_rare(objects, others)
        if len(objects.fields) >= objects.judged_at:
            objects.judged_at = 2 * len(objects.fields)
            self.grown.append(objects)

    def _add_fields(self, objects: Objects, documents: list[Document]) -> Iterable[Work]:
        if len(set(map(len, documents))) == 1:
            names = tuple(documents[0])
            values = _rows_of(documents, names)
            if values is not None:
                return self._add_alike(objects, names, values, len(documents))
        if objects.by_signature:
            self._add_signatures(objects, documents)
        else:
            self._add_pairs(objects, documents)
        return self._nested_in(objects, documents)

    def _add_alike(
        self, objects: Objects, names: tuple[str, ...], values: list[Any], number: int
    ) -> Iterable[Work]:
        """Count *number* objects that all have *names*, with their *values* row by row."""
        types = tuple(map(type, values))
        width = len(names)
        first = types[:width]
        uniform = types == first * number
        rows = {first: number} if uniform else Counter(zip(*[iter(types)] * width, strict=True))
        signatures = objects.signatures
        new = [(names, row) for row in rows if (names, row) not in signatures]
        for row, times in rows.items():
            signatures[names, row] += times
        self._note(objects, new, number)
        for place, name in enumerate(names):
            for kind in objects.nested.get(name, ()):
                held = values[place::width]
                if not uniform:
                    held = [value for value in held if value.__class__ is kind]
                elif first[place] is not kind:
                    continue
                if held:
                    yield from self._below(objects.fields[name], kind, held)

    def _add_signatures(self, objects: Objects, documents: list[Document]) -> None:
        signatures = objects.signatures
        before = len(signatures)
        types = map(tuple, map(map, repeat(type), map(dict.values, documents)))
        signatures.update(zip(map(tuple, documents), types, strict=True))
        self._note(objects, islice(reversed(signatures), len(signatures) - before), len(documents))

    def _note(self, objects: Objects, new: Iterable[Signature], number: int) -> None:
        """Make known what the *new* signatures hold; *number* objects were counted by their signatures."""
        objects.pending_objects += number
        for names, types in new:
            self._pending[id(objects)] = objects
            objects.pending_names += len(names) + 1
            self._pending_names += len(names) + 1
            for name, kind in zip(names, types, strict=True):
                self._learn(objects, name, kind)
        if objects.pending_names > _PENDING_NAMES:
            if objects.by_signature:
                objects.by_signature = objects.pending_objects > 3 * len(objects.signatures)
            self._break_down(objects)

    def _add_pairs(self, objects: Objects, documents: list[Document]) -> None:
        names = _flatten(documents)
        types = map(type, _flatten(map(dict.values, documents)))
        before = len(objects.pairs)
        objects.pairs.update(zip(names, types, strict=True))
        new = islice(reversed(objects.pairs), len(objects.pairs) - before)
        self._note(objects, [((name,), (kind,)) for name, kind in new], 0)

    def _break_down(self, objects: Objects) -> None:
        pairs = objects.pairs
        for (names, types), times in objects.signatures.items():
            for pair in zip(names, types, strict=True):
                pairs[pair] += times
        for (name, kind), times in pairs.items():
            self._count(objects, name, kind, times)
        objects.signatures.clear()
        pairs.clear()
        self._pending_names -= objects.pending_names
        objects.pending_names = objects.pending_objects = 0
        self._pending.pop(id(objects), None)

    def _count(self, objects: Objects, name: str, kind: type, times: int) -> None:
        found = self._field(objects, name)
        if found is not None:
            found.types[kind] += times
        elif objects.key is not None:
            objects.key.types[kind] += times
            objects.see_keys((name,))

    def _learn(self, objects: Objects, name: str, kind: type) -> None:
        if self._field(objects, name) is not None and kind in _NESTED:
            objects.nested.setdefault(name, set()).add(kind)

    def _field(self, objects: Objects, name: str) -> Field | None:
        """The field *name*, made where it is new; None where new ones are no longer told apart."""
        found = objects.fields.get(name)
        if found is None:
            if self.full or (objects.is_key is not None and objects.is_key(name)):
                if objects.key is None:
                    objects.key, objects.opaque = Field(), True
                return None
            found = objects.fields[name] = Field()
            self.paths += 1
        return found

    def _nested_in(self, objects: Objects, documents: list[Document]) -> Iterable[Work]:
        if len(objects.nested) > _FEW_NESTED:
            held: dict[tuple[str, type], list[Any]] = {}
            nested = objects.nested
            for document in documents:
                for name, value in document.items():
                    if value.__class__ in _NESTED and name in nested:
                        held.setdefault((name, value.__class__), []).append(value)
            for (name, kind), values in held.items():
                yield from self._below(objects.fields[name], kind, values)
            return
        for name, kinds in objects.nested.items():
            for kind in kinds:
                values = [value for document in documents if (value := document.get(name)).__class__ is kind]
                if values:
                    yield from self._below(objects.fields[name], kind, values)

    def _below(self, found: Field, kind: type, values: list[Any]) -> Iterable[Work]:
        """Where to go on with the *values* of *found*, all of the nested *kind*."""
        if kind is Code:
            scoped = sum(code.scope is not None for code in values)
            found.types[Code] -= scoped
            found.types[SCOPED_CODE] += scoped
        elif kind is list:
            found.arrays = found.arrays or Arrays()
            found.arrays.lengths.add(list(map(len, values)))
            elements = list(_flatten(values))
            if elements:
                yield found.arrays.elements, elements
        else:
            found.objects = found.objects or Objects()
            yield found.objects, [dict(each.as_doc()) for each in values] if kind is DBRef else values

    # elements of arrays, and keys that are data

    def _add_values(self, target: Field, values: list[Any]) -> Iterable[Work]:
        self._offer_all(target, values)
        kinds = list(map(type, values))
        alike = kinds.count(kinds[0]) == len(kinds)  # faster than a Counter, and mostly so
        for kind, times in {kinds[0]: len(kinds)}.items() if alike else Counter(kinds).items():
            target.types[kind] += times
            if kind in _NESTED:
                yield from self._below(
                    target,
                    kind,
                    values if times == len(values) else [each for each in values if each.__class__ is kind],
                )

    def _without_keys(
        self, objects: Objects, documents: list[Document]
    ) -> tuple[list[Document], Iterable[Work]]:
        """*documents* without the fields whose names are data, and the work that these make."""
        if objects.is_key is every_name and not objects.fields:
            names: Iterable[str] = _flatten(documents)
            values = list(_flatten(map(dict.values, documents)))
            left: list[Document] = []
        else:
            keys = {name for name in set(_flatten(documents)) if self._field(objects, name) is None}
            names = keys
            values = [value for each in documents for name, value in each.items() if name in keys]
            left = [{name: each[name] for name in each if name not in keys} for each in documents]
        objects.see_keys(names)
        return left, [(objects.key, values)] if objects.key and values else []

    # the sample

    def _sampled(self, objects: Objects, documents: list[Document]) -> tuple[list[Document], list[Document]]:
        """Which of *documents* are looked into, and the others."""
        room = self._sample - objects.count
        if room > 0:
            return documents[:room], documents[room:]
        if self._chunk % _SAMPLED_CHUNKS:
            return [], documents
        places = range(len(documents))
        chosen = set(self._random.sample(places, min(_SAMPLED_AT_ONCE, len(documents))))
        return [documents[at] for at in chosen], [documents[at] for at in places if at not in chosen]

    def _offer(self, objects: Objects, documents: Sequence[Document]) -> None:
        columns: dict[str, list[Any]] = {}
        for document in documents:
            for name, value in document.items():
                columns.setdefault(name, []).append(value)
        for name, values in columns.items():
            found = objects.fields.get(name)
            if found is not None:
                found.values.offer(values)
            elif objects.opaque and objects.key is not None:
                objects.key.values.offer(values)

    def _offer_rare(self, objects: Objects, documents: Sequence[Document]) -> None:
        rare = {name for name, found in objects.fields.items() if found.values.sampled < _RARE}
        if not rare:
            return
        holding = (document for document in documents if not rare.isdisjoint(document))
        self._offer(
            objects,
            [
                {name: document[name] for name in rare & document.keys()}
                for document in islice(holding, _SAMPLED_AT_ONCE)
            ],
        )

    def _offer_all(self, target: Field, values: Sequence[Any]) -> None:
        room = self._sample - target.types.total()
        if room > 0:
            chosen = values[:room]
        elif self._chunk % _SAMPLED_CHUNKS == 0:
            chosen = self._random.sample(values, min(_SAMPLED_AT_ONCE, len(values)))
        else:
            return
        target.values.offer(chosen)


def _rows_of(documents: list[Document], names: tuple[str, ...]) -> list[Any] | None:
    """The values of *names* in each of *documents*, one after the other; None where one lacks a name."""
    if not names:
        return []
    picked = map(itemgetter(*names), documents)
    try:
        return list(picked if len(names) == 1 else _flatten(picked))
    except KeyError:
        return None


def every_name(_: str) -> bool:
    return True


def alias(kind: type | str) -> str:
    """The name of a counted type as ``bsonType`` has it; a UUID's is ``uuid``."""
    return kind if isinstance(kind, str) else ALIASES[kind]
