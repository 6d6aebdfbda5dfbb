"""Counts of field paths and types over decoded documents: a path at a time, not a value at a time.

A chunk of documents is worked through path by path: the names and types of all its objects are counted
by iterators that run in C, and the nested objects and arrays of a path go on as one list. Objects of one
path mostly have few *signatures* (their names and types in order), so that it is these that are counted;
they are broken down into fields when they are many, and at the end.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import Any, TypeVar

from bson.code import Code
from bson.dbref import DBRef

from workbench.documents.bson_types import ALIASES, SCOPED_CODE
from workbench.documents.formats import are_data_keys, is_data_key
from workbench.documents.samples import Lengths, Values

_T = TypeVar("_T")
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
        self.at_once = 0.0  # how many objects or values the last chunk had of each path, on average
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
        pieces = counted = 0
        while work:
            target, values = work.pop()
            pieces += 1
            counted += len(values)
            if isinstance(target, Objects):
                work += self._add_objects(target, values)
            else:
                work += self._add_values(target, values)
        self.at_once = counted / pieces
        if self._pending_names > _PENDING_NAMES_ALL:
            self.settle()

    def settle(self) -> None:
        """Break down all the signatures that are still counted as such."""
        for objects in list(self._pending.values()):
            self._break_down(objects)

    # objects

    def _add_objects(self, objects: Objects, documents: list[Document]) -> Iterable[Work]:
        known = len(objects.fields)
        objects.count += len(documents)
        if objects.key is not None and not objects.opaque:
            documents, work = self._without_keys(objects, documents)
            yield from work
            if not documents:
                return
        columns = _columns_of(documents)
        if columns is not None:
            for name, values in columns:
                yield from self._add_column(objects, name, values)
        else:
            if objects.by_signature:
                self._add_signatures(objects, documents)
            else:
                self._add_pairs(objects, documents)
            yield from self._nested_in(objects, documents)
            self._look_into(objects, documents, grown=len(objects.fields) > known)
        if len(objects.fields) >= objects.judged_at:
            objects.judged_at = 2 * len(objects.fields)
            self.grown.append(objects)

    def _add_column(self, objects: Objects, name: str, values: list[Any]) -> Iterable[Work]:
        """Count the *values* of the field *name* in objects that all have it."""
        found = self._field(objects, name)
        if found is not None:
            yield from self._add_values(found, values)
            nested = _NESTED & found.types.keys()
            if nested:
                objects.nested.setdefault(name, set()).update(nested)
        elif objects.key is not None:
            objects.see_keys((name,))
            objects.key.types.update(map(type, values))
            self._offer(objects.key, values)

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
            held: defaultdict[str, list[Any]] = defaultdict(list)
            for document in documents:
                for name, value in document.items():
                    if value.__class__ in _NESTED:
                        held[name].append(value)
            for name, values in held.items():
                for kind in objects.nested.get(name, ()):
                    group = [value for value in values if value.__class__ is kind]
                    if group:
                        yield from self._below(objects.fields[name], kind, group)
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

    # columns: fields of objects that are alike, elements of arrays, keys that are data

    def _add_values(self, target: Field, values: list[Any]) -> Iterable[Work]:
        self._offer(target, values)
        kinds = list(map(type, values))
        alike = kinds.count(kinds[0]) == len(kinds)  # faster than a Counter, and mostly so
        for kind, times in {kinds[0]: len(kinds)}.items() if alike else Counter(kinds).items():
            target.types[kind] += times
            if kind in _NESTED:
                yield from self._below(
                    target, kind, values if alike else [each for each in values if each.__class__ is kind]
                )

    def _without_keys(
        self, objects: Objects, documents: list[Document]
    ) -> tuple[list[Document], Iterable[Work]]:
        """*documents* without the fields whose names are data, and the work that these make."""
        fields = objects.fields
        names: Iterable[str] = _flatten(documents)
        names = [name for name in names if name not in fields] if fields else list(names)
        if names and objects.is_key is is_data_key and not are_data_keys(names):
            for name in set(names):
                self._field(objects, name)
            names = [name for name in names if name not in fields]
        objects.see_keys(names)
        left: list[Document] = []
        if fields:
            values = [value for each in documents for name, value in each.items() if name not in fields]
            left = [{name: value for name, value in each.items() if name in fields} for each in documents]
        else:
            values = list(_flatten(map(dict.values, documents)))
        return left, [(objects.key, values)] if objects.key and values else []

    # the sample

    def _offer(self, target: Field, values: Sequence[Any]) -> None:
        """Look into the first of *values*, or into some where enough were looked into before."""
        wanting = target.values.wanting(self._sample)
        if wanting > 0:
            target.values.offer(values[:wanting])
        elif self._chunk % _SAMPLED_CHUNKS == 0:
            target.values.offer(self._some(values))

    def _look_into(self, objects: Objects, documents: list[Document], *, grown: bool) -> None:
        """Offer the values of *documents*: of the first all, later of some, and of fields that are rare."""
        room = max(0, self._sample - objects.count + len(documents))
        columns: defaultdict[str, list[Any]] = defaultdict(list)
        if room:
            for document in documents[:room]:
                for name, value in document.items():
                    columns[name].append(value)
        elif self._chunk % _SAMPLED_CHUNKS == 0:
            for document in self._some(documents):
                for name, value in document.items():
                    columns[name].append(value)
        if grown or self._chunk % _SAMPLED_CHUNKS == 0:
            rare = {name for name, found in objects.fields.items() if found.values.offered < _RARE}
            holding = (document for document in documents[room:] if not rare.isdisjoint(document))
            for document in islice(holding, _SAMPLED_AT_ONCE) if rare else ():
                for name in rare & document.keys():
                    columns[name].append(document[name])
        for name, values in columns.items():
            target = objects.fields.get(name, objects.key if objects.opaque else None)
            if target is not None:
                self._offer(target, values)

    def _some(self, values: Sequence[_T]) -> Sequence[_T]:
        """Some of *values*, evenly spread."""
        step = -(-len(values) // _SAMPLED_AT_ONCE)
        return values[self._random.randrange(step) :: step]


def _columns_of(documents: list[Document]) -> Iterable[tuple[str, list[Any]]] | None:
    """The fields of *documents* and their values, one of each document; None where they differ in names."""
    if len(set(map(len, documents))) > 1:
        return None
    names = tuple(documents[0])
    if not names:
        return ()
    picked = map(itemgetter(*names), documents)
    try:
        values = list(picked if len(names) == 1 else _flatten(picked))
    except KeyError:
        return None
    return ((name, values[place :: len(names)]) for place, name in enumerate(names))


def every_name(_: str) -> bool:
    return True


def alias(kind: type | str) -> str:
    """The name of a counted type as ``bsonType`` has it; a UUID's is ``uuid``."""
    return kind if isinstance(kind, str) else ALIASES[kind]
