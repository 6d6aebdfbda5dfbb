"""A value made from a ``$jsonSchema``: for an empty collection, and where a document lacks a field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from workbench.proof.constraints.patterns import matching_regex
from workbench.proof.documents.rules import Names, is_named, named
from workbench.proof.documents.values import NUMBERS, as_decimal, as_number, of_type, types_of

_PREFERRED = ("object", "string", "int", "long", "decimal", "double", "date", "objectId", "binData", "bool")
_DEEPEST = 40


def made(schema: Mapping[str, Any], *, everything: bool = True, deep: int = 0) -> Any:
    """A value that should satisfy *schema*: with all that it speaks of, or with no more than it requires.

    The caller lets the server decide whether it does: ``not``, ``uniqueItems`` over several elements and
    what an ``$expr`` asks for are beyond this.
    """
    schema = _flat(schema)
    if enum := schema.get("enum"):
        return enum[0]
    kind = _kind(schema)
    if deep > _DEEPEST:
        return of_type(kind)
    if kind == "object":
        return _object(schema, everything, deep)
    if kind == "array":
        return _array(schema, everything, deep)
    if kind == "string":
        return _string(schema)
    if kind in NUMBERS:
        return _number(schema, kind)
    return of_type(kind)


def _flat(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """*schema* with the first branch of its alternatives and all that is asked for together."""
    flat = dict(schema)
    branches = [*schema.get("allOf", ())]
    branches += [schema[keyword][0] for keyword in ("anyOf", "oneOf") if schema.get(keyword)]
    for each in map(_flat, branches):
        for keyword, argument in each.items():
            if keyword == "properties":
                flat["properties"] = {**flat.get("properties", {}), **argument}
            elif keyword == "required":
                flat["required"] = [*flat.get("required", ()), *argument]
            else:
                flat[keyword] = argument
    return flat


def _kind(schema: Mapping[str, Any]) -> str:
    types = types_of(schema)
    for alias in _PREFERRED:
        if alias in types:
            return alias
    if types:
        return min(types)
    if {
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "minProperties",
    } & schema.keys():
        return "object"
    if {"items", "minItems", "maxItems", "uniqueItems"} & schema.keys():
        return "array"
    return "int" if {"minimum", "maximum", "multipleOf"} & schema.keys() else "string"


def _object(schema: Mapping[str, Any], everything: bool, deep: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = list(dict.fromkeys(schema.get("required", ())))
    names = [*required, *(name for name in properties if everything and name not in required)]
    most = schema.get("maxProperties")
    found = {
        name: made(properties.get(name, {}), everything=everything, deep=deep + 1)
        for name in (names if most is None else names[: max(int(most), len(required))])
    }
    for name, below in schema.get("patternProperties", {}).items() if everything else ():
        if (fresh := name_matching(name)) and (most is None or len(found) < int(most)):
            found[fresh] = made(below, everything=everything, deep=deep + 1)
    others = schema.get("additionalProperties", {})
    while len(found) < int(schema.get("minProperties", 0)) and others is not False:
        value = made(others if isinstance(others, Mapping) else {}, deep=deep + 1)
        found[other_name(found, named(schema))] = value
    return found


def _array(schema: Mapping[str, Any], everything: bool, deep: int) -> list[Any]:
    least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
    items = schema.get("items", {})
    if not isinstance(items, Mapping):
        return [made(each, everything=everything, deep=deep + 1) for each in items]
    length = max(least, 1 if everything else 0)
    if most is not None:
        length = min(length, int(most))
    element = made(items, everything=everything, deep=deep + 1)
    if schema.get("uniqueItems") and not isinstance(element, (dict, list)):
        return [different(element, number) for number in range(length)]
    return [element] * length


def different(value: Any, number: int) -> Any:
    """*value* made different by *number*, in its own type where that is easy."""
    if not number:
        return value
    found = as_decimal(value)
    return as_number(found + number, "double") if found is not None else f"{value}{number}"


def _string(schema: Mapping[str, Any]) -> str:
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if pattern := schema.get("pattern"):
        fitting = [
            each
            for each in matching_regex(pattern)
            if len(each) >= least and (most is None or len(each) <= int(most))
        ]
        if fitting:
            return fitting[0]
    text = "workbench".ljust(least, "x")
    return text if most is None else text[: int(most)]


def _number(schema: Mapping[str, Any], kind: str) -> Any:
    lowest, highest = as_decimal(schema.get("minimum")), as_decimal(schema.get("maximum"))
    step = as_decimal(schema.get("multipleOf")) or (Decimal(1) if kind in ("int", "long") else Decimal("0.5"))
    number = Decimal(1) if lowest is None else lowest
    if schema.get("exclusiveMinimum") and lowest is not None:
        number += step
    if highest is not None and number > highest:
        number = highest
    rounding = ROUND_FLOOR if lowest is None else ROUND_CEILING
    if kind in ("int", "long") or "multipleOf" in schema:
        number = (number / step).to_integral_value(rounding) * step
    return as_number(number, kind)


def name_matching(pattern: str) -> str | None:
    """A name that matches *pattern*, or None where it is beyond what we can read."""
    return next((name for name in matching_regex(pattern) if name and "\0" not in name), None)


def other_name(taken: Mapping[str, Any], known: Names) -> str:
    """A name that is neither taken nor one that the schema speaks of."""
    for stem in ("workbenchOther", "other_", "Z9", "zzz", "~"):
        for number in range(len(taken) + 1):
            name = f"{stem}{number or ''}"
            if name not in taken and not is_named(name, known):
                return name
    return "workbenchOther"
