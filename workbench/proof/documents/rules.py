"""The rules that a validator is made of, each with its place in it and the path that it speaks of.

A validator is a query document: the clauses that it joins by ``$and`` are taken apart, those of an
``$expr`` too, and within a ``$jsonSchema`` each keyword is a rule, ``required`` one for each name.
Source: MongoDB manual, "$jsonSchema" and "Schema Validation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from workbench.catalog.shapes import written

Location: TypeAlias = tuple[str | int, ...]
Names: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]  # of fields, and patterns of them

_SPEAKS_ONLY = frozenset(["title", "description"])
_WITHIN = frozenset(["properties", "patternProperties", "allOf", "dependencies"])
_MODIFIERS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


@dataclass(frozen=True)
class Step:
    """One step of a path into a document; only one of the fields is set.

    *name* is a field, *index* a place in an array (-1: any), *pattern* any name that matches it, *other*
    any name but those, or those that match one of those patterns.
    """

    name: str | None = None
    index: int | None = None
    pattern: str | None = None
    other: Names | None = None

    @property
    def text(self) -> str:
        if self.name is not None:
            return self.name
        return "[]" if self.index is not None else "*"


@dataclass(frozen=True)
class Clause:
    """One of the conditions of a validator that must all hold: *condition* alone, *whole* as it is declared.

    *path* is the field that it speaks of, "" where it is of the whole document.
    """

    condition: Mapping[str, Any]
    whole: Mapping[str, Any]
    path: str = ""

    @property
    def operator(self) -> str:
        """The operator under which the server reports it: ``$jsonSchema``, ``$expr``, ``$gt`` …"""
        (name, value), *_ = self.condition.items()
        if name.startswith("$"):
            return name
        return next(iter(value)) if _is_operators(value) else "$eq"


@dataclass(frozen=True)
class Rule:
    """One rule of the clause at *clause* of a validator, for the value at *steps*.

    Within a ``$jsonSchema``, *location* is its place, such as ``("properties", "sku", "minLength")``,
    *schema* the schema that it stands in and *part* the name that a ``required`` or a
    dependency asks for.
    """

    clause: int
    keyword: str
    argument: Any
    steps: tuple[Step, ...] = ()
    location: Location = ()
    part: str = ""
    schema: Mapping[str, Any] | None = None

    @property
    def path(self) -> str:
        """As it is shown: ``items[].quantity``; of a query's clause, the path as a query has it."""
        if self.schema is None:
            return str(self.steps[0].name) if self.steps else ""
        return written(tuple(step.text for step in self.steps))

    @property
    def reported(self) -> Location:
        """The location under which the server reports it: exclusive bounds go by the bound."""
        return (*self.location[:-1], _MODIFIERS.get(self.keyword, self.location[-1])) if self.location else ()


def clauses(validator: Mapping[str, Any]) -> list[Clause]:
    """The conditions that *validator* joins, each as small as it can be while all of them mean the same."""
    return list(_clauses(validator))


def _clauses(query: Mapping[str, Any]) -> Iterator[Clause]:
    for name, value in query.items():
        if name == "$and":
            for each in value:
                yield from _clauses(each)
        elif name == "$nor":
            for each in value:
                yield Clause({"$nor": [each]}, {name: value})
        elif name == "$expr":
            for part in conjuncts(value):
                yield Clause({"$expr": part}, {name: value})
        elif name.startswith("$"):
            if name != "$comment":
                yield Clause({name: value}, {name: value})
        elif _is_operators(value) and not {"$regex", "$options"} & value.keys():
            for operator, argument in value.items():
                yield Clause({name: {operator: argument}}, {name: {operator: argument}}, name)
        else:
            yield Clause({name: value}, {name: value}, name)


def conjuncts(expression: Any) -> list[Any]:
    """The expressions that *expression* joins by ``$and``, at any depth of nothing but those."""
    if isinstance(expression, Mapping) and list(expression) == ["$and"]:
        parts = expression["$and"]
        if isinstance(parts, Sequence) and not isinstance(parts, str) and parts:
            return [each for part in parts for each in conjuncts(part)]
    return [expression]


def _is_operators(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(name).startswith("$") for name in value)


def rules(validator: Mapping[str, Any]) -> list[Rule]:
    """The rules of *validator*, in its order."""
    return [rule for at, clause in enumerate(clauses(validator)) for rule in _of_clause(at, clause)]


def _of_clause(at: int, clause: Clause) -> Iterator[Rule]:
    if clause.operator == "$jsonSchema":
        yield from _of_schema(at, clause.condition["$jsonSchema"], (), ())
    else:
        name, value = next(iter(clause.condition.items()))
        argument = value if name.startswith("$") or not _is_operators(value) else next(iter(value.values()))
        yield Rule(at, clause.operator, argument, (Step(name=clause.path),) if clause.path else ())


def _of_schema(
    at: int, schema: Mapping[str, Any], steps: tuple[Step, ...], location: Location
) -> Iterator[Rule]:
    """The rules of *schema* itself, then those of the schemas within it."""
    for keyword, argument in schema.items():
        here = (*location, keyword)
        if keyword in ("required", "dependencies"):
            for part, condition in _parts(keyword, argument):
                place = here if keyword == "required" else (*here, condition)
                yield Rule(at, keyword, argument, steps, place, part, schema)
        elif _says_something(keyword, argument):
            yield Rule(at, keyword, argument, steps, here, schema=schema)
    for below, more, place in schemas_within(schema):
        yield from _of_schema(at, below, (*steps, *more), (*location, *place))


def _says_something(keyword: str, argument: Any) -> bool:
    """Whether a keyword rules something out by itself, and not through the schemas within it."""
    if keyword in _MODIFIERS:
        return bool(argument)
    if keyword in ("additionalProperties", "additionalItems"):
        return argument is False
    return keyword not in _SPEAKS_ONLY | _WITHIN | {"items"}


def _parts(keyword: str, argument: Any) -> Iterator[tuple[str, str]]:
    """What is asked for, and for a dependency the field that asks for it."""
    if keyword == "required":
        yield from ((name, "") for name in argument)
        return
    for condition, asked in argument.items():
        if isinstance(asked, Sequence) and not isinstance(asked, str):
            yield from ((name, condition) for name in asked)


def schemas_within(
    schema: Mapping[str, Any],
) -> Iterator[tuple[Mapping[str, Any], tuple[Step, ...], Location]]:
    """The schemas directly below *schema*, with the steps that lead to what they speak of."""
    for name, below in schema.get("properties", {}).items():
        yield below, (Step(name=name),), ("properties", name)
    for pattern, below in schema.get("patternProperties", {}).items():
        yield below, (Step(pattern=pattern),), ("patternProperties", pattern)
    if isinstance(below := schema.get("additionalProperties"), Mapping):
        yield below, (Step(other=named(schema)),), ("additionalProperties",)
    items = schema.get("items")
    if isinstance(items, Mapping):
        yield items, (Step(index=-1),), ("items",)
    elif items is not None:
        for index, below in enumerate(items):
            yield below, (Step(index=index),), ("items", index)
        if isinstance(below := schema.get("additionalItems"), Mapping):
            yield below, (Step(index=len(items)),), ("additionalItems",)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, below in enumerate(schema.get(keyword, ())):
            yield below, (), (keyword, index)
    for condition, below in schema.get("dependencies", {}).items():
        if isinstance(below, Mapping):
            yield below, (), ("dependencies", condition)


def named(schema: Mapping[str, Any]) -> Names:
    """The names and the patterns of names that *schema* speaks of."""
    return tuple(schema.get("properties", ())), tuple(schema.get("patternProperties", ()))


def is_named(name: str, known: Names) -> bool:
    """Whether a field called *name* is one of the names, or matches one of the patterns, of *known*."""
    return name in known[0] or any(_matches(pattern, name) for pattern in known[1])


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:  # the server's grammar is PCRE, which Python's is not quite
        return False
