"""Operations whose values were left out, filled with values of documents, so that they can be run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def with_values(
    query: Mapping[str, Any], document: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """*query* with the values of *document* where it has the name of a type; None where it lacks one.

    The further values of an ``$in`` come from *others*. A range begins or ends at the document's value;
    with two sides it is as narrow as a fiftieth of the values of *others*.
    """
    try:
        return _filled_query(query, [document], others)
    except LookupError:
        return None


def _filled_query(
    query: Mapping[str, Any], within: Sequence[Any], others: Sequence[Mapping[str, Any]], path: str = ""
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    for name, value in query.items():
        if name in ("$and", "$or", "$nor") and isinstance(value, list):
            filled[name] = [_filled_query(each, within, others, path) for each in value]
        elif name.startswith("$"):
            filled[name] = value
        else:
            filled[name] = _filled_value(value, _values(within, name.split(".")), f"{path}{name}", others)
    return filled


def _filled_value(value: Any, found: list[Any], path: str, others: Sequence[Mapping[str, Any]]) -> Any:
    if isinstance(value, Mapping) and next(iter(value), "").startswith("$"):
        return _filled_operators(value, found, path, others)
    return _first(found) if _left_out(value) else value


def _filled_operators(
    operators: Mapping[str, Any], found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    filled: dict[str, Any] = {}
    sides = [name for name in ("$gt", "$gte", "$lt", "$lte") if name in operators]
    for name, value in operators.items():
        if name in ("$in", "$nin", "$all") and isinstance(value, list) and any(map(_left_out, value)):
            filled[name] = _list(name, value, found, path, others)
        elif name == "$elemMatch" and isinstance(value, Mapping):
            if next(iter(value), "").startswith("$"):
                filled[name] = _filled_operators(value, found, path, others)
            else:
                element = [each for each in found if isinstance(each, Mapping)][:1]
                filled[name] = _filled_query(value, element, others, f"{path}.")
        elif name == "$not" and isinstance(value, Mapping):
            filled[name] = _filled_operators(value, found, path, others)
        elif name == "$regex" and value in ("<text>", "^<text>"):
            filled[name] = _expression(value, found)
        elif name in sides and _left_out(value):
            filled[name] = _bound(name, len(sides) > 1, found, path, others)
        else:
            filled[name] = _first(found) if _left_out(value) else value
    return filled


def _list(
    name: str, kinds: Sequence[Any], found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Values for a list: the document's and, for a longer ``$in``, those of some others."""
    if name == "$all":
        return [_first(found)]
    last = kinds[-1]
    wanted = len(kinds)
    if isinstance(last, str) and last.startswith("… "):
        wanted = max(int(last.split()[-1]) // 2, 2)
    values = [_first(found)]
    for other in others:
        if len(values) >= wanted:
            break
        values += [each for each in _values([other], path.split("."))[:1] if each not in values]
    return values


def _bound(
    operator: str, narrow: bool, found: list[Any], path: str, others: Sequence[Mapping[str, Any]]
) -> Any:
    """A bound of a range: the document's value; the upper one of a narrow range some values further on."""
    value = _first(found)
    if not narrow or operator in ("$gt", "$gte"):
        return value
    kind = type(value)
    later = sorted(
        each
        for other in others
        for each in _values([other], path.split("."))[:1]
        if type(each) is kind and kind is not dict and each > value
    )
    return later[min(len(others) // 50, len(later) - 1)] if later else value


def _expression(shape: str, found: list[Any]) -> str:
    text = _first([each for each in found if isinstance(each, str) and each])
    escaped = "".join(letter if letter.isalnum() or letter == " " else "\\" + letter for letter in text[:12])
    return f"^{escaped}" if shape.startswith("^") else escaped


def _left_out(value: Any) -> bool:
    """Whether *value* stands for one of its type, as the profiler's operations have it."""
    return isinstance(value, str) and len(value) > 2 and value[0] == "<" and value[-1] == ">"


def _first(found: Sequence[Any]) -> Any:
    """The first value that is one, no list and not null. Raises LookupError where there is none."""
    for each in found:
        if each is not None and not isinstance(each, list):
            return each
    raise LookupError("no value")


def _values(within: Sequence[Any], path: Sequence[str]) -> list[Any]:
    """The values at *path*, through arrays, those of an array one by one."""
    if not path:
        return [each for part in within for each in (part if isinstance(part, list) else [part])]
    below: list[Any] = []
    for part in within:
        for each in part if isinstance(part, list) else [part]:
            if isinstance(each, Mapping) and path[0] in each:
                below.append(each[path[0]])
    return _values(below, path[1:]) if below else []
