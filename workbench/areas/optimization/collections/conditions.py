"""A filter taken apart into its conditions, as the document that it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RANGES = ("$gt", "$gte", "$lt", "$lte")


@dataclass(frozen=True)
class Condition:
    """What a filter asks of one path by one operator, ``$eq`` where it names a value; *operators* has all.

    *in_element* says that it is within an ``$elemMatch``, *alternative* that it is within an ``$or``.
    """

    path: str
    operator: str
    operand: Any
    operators: Mapping[str, Any]
    in_element: bool = False
    alternative: bool = False


def conditions(
    query: Mapping[str, Any], prefix: str = "", *, in_element: bool = False, alternative: bool = False
) -> Iterator[Condition]:
    """Every condition of the filter *query*; ``$where`` and ``$expr`` have an empty path."""
    for name, value in query.items():
        if name in ("$and", "$or", "$nor") and isinstance(value, list | tuple):
            for each in value:
                if isinstance(each, Mapping):
                    within = alternative or (name != "$and" and len(value) > 1)
                    yield from conditions(each, prefix, in_element=in_element, alternative=within)
        elif name.startswith("$"):
            yield Condition("", name, value, query, in_element, alternative)
        elif isinstance(value, Mapping) and next(iter(value), "").startswith("$"):
            yield from _of_operators(f"{prefix}{name}", value, in_element, alternative)
        else:
            yield Condition(f"{prefix}{name}", "$eq", value, {"$eq": value}, in_element, alternative)


def _of_operators(
    path: str, operators: Mapping[str, Any], in_element: bool, alternative: bool
) -> Iterator[Condition]:
    for operator, operand in operators.items():
        if operator == "$elemMatch" and isinstance(operand, Mapping):
            if next(iter(operand), "").startswith("$"):
                yield from _of_operators(path, operand, True, alternative)
            else:
                yield from conditions(operand, f"{path}.", in_element=True, alternative=alternative)
        else:
            yield Condition(path, operator, operand, operators, in_element, alternative)


def is_left_out(value: Any) -> bool:
    """Whether *value* stands for one of its type, as the record of operations has it."""
    return isinstance(value, str) and len(value) > 2 and value[0] == "<" and value[-1] == ">"
