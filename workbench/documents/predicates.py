"""What a filter asks of each field, as far as an index is concerned: equal, one of some, a range, or nothing.

A filter is taken apart into branches, one for each alternative of its ``$or``; a document of the result
meets all the predicates of one of them.
Source: MongoDB manual, "The ESR (Equality, Sort, Range) Guideline", "Query Optimization".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bson.regex import Regex

from workbench.catalog.observed_operations import is_anchored, list_length

PredicateKind = Literal["equality", "in", "range", "residual"]
MERGED = 200  # up to as many values of $in lists, an index gives their documents in the order of a sort
_RANGES = frozenset(["$gt", "$gte", "$lt", "$lte"])
_OWN_INDEX = frozenset(
    ["$text", "$near", "$nearSphere", "$geoWithin", "$geoIntersects", "$geoNear", "$where", "$jsonSchema"]
)


@dataclass(frozen=True)
class Predicate:
    """What is asked of the field at *path*, a dotted path as queries write it.

    *values* of an ``in``; *bounds* of a range (1 or 2 sides, 3 for a text's beginning); *value* as the
    filter has it. *is_null* is an equality with null, which a missing field meets too. A *residual* can
    be checked and not looked up: negations, types, unanchored or case-insensitive expressions.
    """

    path: str
    kind: PredicateKind
    value: Any = None
    values: int = 1
    bounds: int = 0
    is_null: bool = False


@dataclass(frozen=True)
class Branch:
    """The predicates that one alternative of a filter sets on its fields, at most one a field and kind."""

    predicates: tuple[Predicate, ...]

    def of(self, *kinds: PredicateKind) -> list[Predicate]:
        return [each for each in self.predicates if each.kind in kinds]

    def on(self, path: str) -> Predicate | None:
        """The predicate on *path* that an index serves best; None where there is none that it serves."""
        found = [each for kind in ("equality", "in", "range") for each in self.of(kind) if each.path == path]
        return found[0] if found else None


def branches_of(query: Mapping[str, Any]) -> list[Branch] | None:
    """The branches of the filter *query*; None where it asks for an index of another sort, such as of text.

    Of several ``$or`` in it the first one is taken apart, and the others are checked document by document.
    """
    if _asks_for_another(query):
        return None
    fixed = list(_predicates(query))
    alternatives = next(_alternatives(query), None)
    if alternatives is None:
        return [Branch(_merged(fixed))]
    found: list[Branch] = []
    for each in alternatives:
        inner = branches_of(each) if isinstance(each, Mapping) else [Branch(())]
        if inner is None:
            return None
        found += [Branch(_merged([*fixed, *branch.predicates])) for branch in inner]
    return found


def _asks_for_another(part: Any) -> bool:
    if isinstance(part, Mapping):
        return any(name in _OWN_INDEX or _asks_for_another(value) for name, value in part.items())
    return isinstance(part, list | tuple) and any(map(_asks_for_another, part))


def _alternatives(query: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    for name, value in query.items():
        if name == "$or" and isinstance(value, list | tuple) and value:
            yield value
        elif name == "$and" and isinstance(value, list | tuple):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _alternatives(each)


def _predicates(query: Mapping[str, Any], prefix: str = "") -> Iterator[Predicate]:
    for name, value in query.items():
        if name == "$and" and isinstance(value, list | tuple):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _predicates(each, prefix)
        elif not name.startswith("$"):
            yield from _on_field(prefix + name, value)


def _on_field(path: str, value: Any) -> Iterator[Predicate]:
    if isinstance(value, Regex | re.Pattern):
        yield _expression(path, value, "")
    elif not isinstance(value, Mapping) or not next(iter(value), "").startswith("$"):
        yield _equality(path, value)
    else:
        for operator, operand in value.items():
            yield from _by_operator(path, operator, operand, value)


def _by_operator(path: str, operator: str, operand: Any, whole: Mapping[str, Any]) -> Iterator[Predicate]:
    if operator == "$eq":
        yield _equality(path, operand)
    elif operator == "$in" and isinstance(operand, list | tuple):
        yield _one_of(path, operand)
    elif operator == "$all" and isinstance(operand, list | tuple) and operand:
        yield from _on_field(path, operand[0])
    elif operator in _RANGES:
        yield Predicate(path, "range", whole, bounds=1)
    elif operator == "$regex":
        yield _expression(path, operand, str(whole.get("$options", "")))
    elif operator == "$elemMatch" and isinstance(operand, Mapping):
        if next(iter(operand), "").startswith("$") and "$and" not in operand and "$or" not in operand:
            yield from _on_field(path, operand)
        else:
            yield from _predicates(operand, f"{path}.")
    elif operator != "$options":
        yield Predicate(path, "residual", operand)


def _equality(path: str, value: Any) -> Predicate:
    return Predicate(path, "equality", value, is_null=value is None)


def _one_of(path: str, values: Sequence[Any]) -> Predicate:
    if any(isinstance(each, Regex | re.Pattern) or _is_expression(each) for each in values):
        return Predicate(path, "residual", values)
    count = list_length(values)
    if count == 1:
        return _equality(path, values[0])
    return Predicate(path, "in", values, values=count, is_null=None in values)


def _is_expression(value: Any) -> bool:
    return isinstance(value, Mapping) and "$regex" in value


def _expression(path: str, pattern: Any, options: str) -> Predicate:
    """A regular expression: a range of texts if it is bound to their start and minds case, else no lookup."""
    text = pattern if isinstance(pattern, str) else getattr(pattern, "pattern", "")
    flags = 0 if isinstance(pattern, str) else int(pattern.flags)
    folded = "i" in options or bool(flags & re.IGNORECASE)
    if isinstance(text, str) and is_anchored(text) and not folded and "m" not in options and not flags:
        return Predicate(path, "range", pattern, bounds=3)
    return Predicate(path, "residual", pattern)


def _merged(predicates: Sequence[Predicate]) -> tuple[Predicate, ...]:
    """One predicate a path and kind: the two sides of a range are one, of several equalities the first."""
    found: dict[tuple[str, PredicateKind], Predicate] = {}
    for each in predicates:
        key = (each.path, each.kind)
        if key not in found:
            found[key] = each
        elif each.kind == "range":
            found[key] = replace(found[key], bounds=max(2, found[key].bounds, each.bounds))
    return tuple(found.values())
