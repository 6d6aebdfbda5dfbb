"""Counts of field paths and types over decoded documents: a path at a time, not a value at a time.

A chunk of documents is worked through path by path: the objects of a path are turned into a column of
values for each name, whose types are counted by iterators that run in C; the objects and the elements of
arrays in a column go on as one list.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

from bson.code import Code
from bson.dbref import DBRef

from workbench.documents.bson_types import ALIASES, SCOPED_CODE
from workbench.documents.formats import are_data_keys, is_data_key
from workbench.documents.samples import Lengths, Values

Document = dict[str, Any]

_NESTED = frozenset({dict, list, DBRef, Code})
_SAMPLED_CHUNKS = 32  # beyond the first occurrences, every so many chunks are sampled
_SAMPLED_AT_ONCE = 24
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
    key: Field | None = None
    is_key: Callable[[str], bool] | None = None
    opaque: bool = False
    keys_seen: set[int] = field(default_factory=set)
    judged_at: int = 16  # how many fields make it worth another look whether their names are data

    @property
    def occurrences(self) -> Counter[str]:
        """How often each field occurs."""
        return Counter({name: found.types.total() for name, found in self.fields.items()})

    def see_keys(self, names: Iterable[str]) -> None:
        if len(self.keys_seen) < _KEYS_COUNTED:
            self.keys_seen.update(map(hash, names))


class Counting:
    """One run over a collection. *paths* counts the fields; *full* closes the list of paths to new ones."""

    def __init__(self, *, sample: int, seed: int) -> None:
        self.root = Objects()
        self.paths = 0
        self.full = False
        self.grown: list[Objects] = []  # objects whose fields became more in the last chunk
        self.at_once = 0.0  # how many values a column of the last chunk had, on average
        self._sample = sample
        self._random = random.Random(seed)  # noqa: S311 - a sample, the same in every run
        self._chunk = 0
        self._columns = self._values = 0
        self._waiting: list[tuple[Objects, list[Document]]] = []  # a list, for documents may be deep

    def add(self, documents: list[Document]) -> None:
        """Count the *documents* of one chunk."""
        self.grown = []
        self._chunk += 1
        self._columns = self._values = 0
        self._waiting = [(self.root, documents)]
        while self._waiting:
            self._add_objects(*self._waiting.pop())
        self.at_once = self._values / max(1, self._columns)

    def _add_objects(self, objects: Objects, documents: list[Document]) -> None:
        objects.count += len(documents)
        if objects.key is not None and not objects.opaque:
            documents = self._without_keys(objects, documents)
        for name, values in _columns_of(documents):
            found = self._field(objects, name)
            if found is not None:
                self._add_values(found, values)
            elif objects.key is not None:
                objects.see_keys((name,))
                objects.key.types.update(map(type, values))
                self._look_into(objects.key, values)
        if len(objects.fields) >= objects.judged_at:
            objects.judged_at = 2 * len(objects.fields)
            self.grown.append(objects)

    def _without_keys(self, objects: Objects, documents: list[Document]) -> list[Document]:
        """*documents* without the fields whose names are data, once these are counted."""
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
        if objects.key and values:
            self._add_values(objects.key, values)
        return left

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

    def _add_values(self, target: Field, values: list[Any]) -> None:
        """Count a column: the values of one field, of an array's elements, or of keys that are data."""
        while values:
            self._columns += 1
            self._values += len(values)
            self._look_into(target, values)
            kinds = list(map(type, values))
            alike = kinds.count(kinds[0]) == len(kinds)
            arrays: list[Any] = []
            for kind in kinds[:1] if alike else dict.fromkeys(kinds):
                target.types[kind] += kinds.count(kind)
                if kind in _NESTED:
                    held = values if alike else [each for each in values if each.__class__ is kind]
                    if kind is list:
                        arrays = held
                    else:
                        self._add_nested(target, kind, held)
            if not arrays:
                return
            target.arrays = target.arrays or Arrays()
            target.arrays.lengths.add(list(map(len, arrays)))
            target, values = target.arrays.elements, list(_flatten(arrays))

    def _add_nested(self, found: Field, kind: type, values: list[Any]) -> None:
        """Let the objects in *values* wait, all of one *kind*; tell code with a scope from code without."""
        if kind is Code:
            scoped = sum(code.scope is not None for code in values)
            found.types[Code] -= scoped
            found.types[SCOPED_CODE] += scoped
        else:
            found.objects = found.objects or Objects()
            objects = [dict(each.as_doc()) for each in values] if kind is DBRef else values
            self._waiting.append((found.objects, objects))

    def _look_into(self, target: Field, values: list[Any]) -> None:
        """Sample the first of *values*, or some of them where enough were looked into before."""
        wanting = target.values.wanting(self._sample)
        if wanting > 0:
            target.values.offer(values[:wanting])
        elif self._chunk % _SAMPLED_CHUNKS == 0:
            step = -(-len(values) // _SAMPLED_AT_ONCE)
            target.values.offer(values[self._random.randrange(step) :: step])


def _columns_of(documents: list[Document]) -> Iterable[tuple[str, list[Any]]]:
    """The names in *documents*, each with the values it has in them."""
    names = tuple(documents[0]) if documents else ()
    if names and len(set(map(len, documents))) == 1:
        picked = map(itemgetter(*names), documents)
        try:
            values = list(picked if len(names) == 1 else _flatten(picked))
        except KeyError:
            pass  # they are not alike
        else:
            return ((name, values[place :: len(names)]) for place, name in enumerate(names))
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    for document in documents:
        for name, value in document.items():
            columns[name].append(value)
    return columns.items()


def every_name(_: str) -> bool:
    return True


def alias(kind: type | str) -> str:
    """The name of a counted type as ``bsonType`` has it; a UUID's is ``uuid``."""
    return kind if isinstance(kind, str) else ALIASES[kind]
