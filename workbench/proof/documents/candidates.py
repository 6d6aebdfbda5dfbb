"""Documents that break one rule of a validator, made from a good one; the server says what they break.

Those that are most alike to the good document come first, so that as little as can be is broken besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from bson import Binary, ObjectId

from workbench.proof.constraints.patterns import matching_regex
from workbench.proof.documents.made import made, name_matching, other_name
from workbench.proof.documents.rules import (
    Clause,
    Location,
    Names,
    Rule,
    Step,
    is_named,
    named,
    schemas_within,
)
from workbench.proof.documents.values import (
    MISSING,
    NUMBERS,
    Place,
    as_decimal,
    as_number,
    bson_type,
    like,
    near,
    of_other_types,
    of_type,
    places,
    types_of,
    value_at,
    with_value,
)

Document = Mapping[str, Any]
_MOST_PAIRED = 12
_LONGEST = 4096
_PLAIN = ("string", "int", "bool", "object", "array", "null", "date", "objectId")

# keywords whose candidates break them whatever the server thinks of it
CERTAIN = frozenset(
    {
        "bsonType",
        "type",
        "enum",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "multipleOf",
        "additionalProperties",
        "required",
    }
)


def breaking(
    rule: Rule, clause: Clause, good: Document, schema: Mapping[str, Any]
) -> Iterator[tuple[Document, Place]]:
    """Documents like *good* that should break *rule*, each with the place that it was broken at.

    *schema* is what is known of the documents besides.
    """
    if rule.schema is not None:
        yield from _breaking_schema(rule, clause.condition["$jsonSchema"], good)
    elif clause.operator == "$expr":
        yield from _breaking_expression(rule.argument, good, schema)
    else:
        yield from _breaking_query(clause.condition, good)


# Rules of a schema


def _breaking_schema(rule: Rule, root: Mapping[str, Any], good: Document) -> Iterator[tuple[Document, Place]]:
    for document, place in _reached(root, rule.location, rule.steps, good, ()):
        if rule.keyword in ("required", "dependencies"):
            if rule.keyword == "dependencies" and rule.location:
                condition = str(rule.location[-1])
                document = _with_field(document, place, rule.schema or {}, condition)
            yield with_value(document, (*place, rule.part), MISSING), (*place, rule.part)
            continue
        value = value_at(document, place)
        for bad in _breaking_values(rule, value):
            yield with_value(document, place, bad), place


def _reached(
    schema: Mapping[str, Any], location: Location, steps: tuple[Step, ...], document: Any, place: Place
) -> Iterator[tuple[Any, Place]]:
    """*document* with something at the place that the rule at *location* below *schema* speaks of."""
    if value_at(document, place) is MISSING:
        document = with_value(document, place, made(schema))
    for below, more, where in schemas_within(schema):
        if location[: len(where)] == where and len(location) > len(where):
            rest, further = location[len(where) :], steps[len(more) :]
            for entered in _entered(schema, below, where, document, place):
                for step in _concrete(more, below, rest, value_at(entered, place)):
                    yield from _reached(below, rest, further, entered, (*place, *step))
            return
    yield document, place


def _entered(
    schema: Mapping[str, Any], below: Mapping[str, Any], where: Location, document: Any, place: Place
) -> Iterator[Any]:
    """*document* so that the schema *below* is asked about the value at *place*, or about what is in it."""
    value = value_at(document, place)
    if where[0] in ("properties", "patternProperties", "additionalProperties"):
        yield document if isinstance(value, Mapping) else with_value(document, place, _made_as(schema, dict))
    elif where[0] in ("items", "additionalItems"):
        yield document if isinstance(value, list) else with_value(document, place, _made_as(schema, list))
    elif where[0] in ("anyOf", "oneOf"):
        if fits(below, value):
            yield document
            return
        branch = made({**_without_branches(schema), **below})
        if isinstance(value, Mapping) and isinstance(branch, Mapping):
            yield with_value(document, place, {**value, **made(below)})
        yield with_value(document, place, branch)
        yield document
    elif where[0] == "dependencies":
        yield _with_field(document, place, schema, str(where[1]))
    else:
        yield document


def is_about(schema: Mapping[str, Any], location: Location, value: Any) -> bool:
    """Whether *value* takes the branches that lie on the way to the rule at *location* below *schema*."""
    for below, more, where in schemas_within(schema):
        if location[: len(where)] != where or len(location) <= len(where):
            continue
        rest = location[len(where) :]
        if where[0] in ("anyOf", "oneOf"):
            return fits(below, value) and is_about(below, rest, value)
        if more and more[0].name is not None:
            inner = value_at(value, (more[0].name,))
            return inner is MISSING or is_about(below, rest, inner)
        if more and more[0].index is not None:
            elements = value if isinstance(value, list) else []
            return not elements or any(is_about(below, rest, each) for each in elements)
        return is_about(below, rest, value)
    return True


def fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Whether *value* is of the type, has the names and the values of an enum that *schema* asks for.

    It decides what is tried first and nothing else: all that *schema* means is the server's to say.
    """
    types = types_of(schema)
    if (types and bson_type(value) not in types) or ("enum" in schema and not _among(value, schema["enum"])):
        return False
    if isinstance(value, Mapping):
        if not set(schema.get("required", ())) <= value.keys():
            return False
        properties = schema.get("properties", {})
        return all(fits(properties[name], each) for name, each in value.items() if name in properties)
    if isinstance(value, list) and isinstance(items := schema.get("items"), Mapping):
        return all(fits(items, each) for each in value)
    branches = schema.get("anyOf", schema.get("oneOf", ()))
    return not branches or any(fits(branch, value) for branch in branches)


def _without_branches(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}


def _made_as(schema: Mapping[str, Any], kind: type) -> Any:
    value = made(schema)
    return value if isinstance(value, kind) else kind()


def _with_field(document: Any, place: Place, schema: Mapping[str, Any], name: str) -> Any:
    if value_at(document, (*place, name)) is not MISSING:
        return document
    return with_value(document, (*place, name), made(schema.get("properties", {}).get(name, {})))


def _concrete(
    steps: tuple[Step, ...], below: Mapping[str, Any], location: Location, value: Any
) -> Iterator[Place]:
    """The places in *value* that the first of *steps* leads to; where none is there, one to be made.

    Of an array it is the first element that the branches on the way, at *location* of *below*, are about.
    """
    if not steps:
        yield ()
        return
    step = steps[0]
    if step.name is not None:
        yield (step.name,)
    elif step.index is not None:
        about = (at for at, each in enumerate(value) if step.index < 0 and is_about(below, location, each))
        yield (next(about, max(step.index, 0)),)
    elif step.pattern is not None:
        known: Names = ((), (step.pattern,))
        found = next((name for name in value if is_named(name, known)), None) or name_matching(step.pattern)
        if found is not None:
            yield (found,)
    else:
        known = step.other or ((), ())
        yield (next((name for name in value if not is_named(name, known)), None) or other_name(value, known),)


def _breaking_values(rule: Rule, value: Any) -> Iterator[Any]:
    """Values in the place of *value* that break *rule*, of the same type where the rule is of no type."""
    breaks = _BREAKS.get(rule.keyword)
    if breaks is not None and rule.schema is not None:
        yield from breaks(rule.argument, rule.schema, value)


def _type(types: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    yield from of_other_types(
        value, types_of({key: schema[key] for key in ("bsonType", "type") if key in schema})
    )


def _enum(members: Sequence[Any], schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    candidates = [*near(value), *(each for member in members for each in near(member))]
    candidates += [of_type(kind) for kind in _PLAIN]
    yield from (each for each in candidates if not _among(each, members))


def _among(value: Any, members: Sequence[Any]) -> bool:
    number = as_decimal(value)
    return any(
        (value == member and isinstance(value, bool) == isinstance(member, bool))
        or (number is not None and number == as_decimal(member))
        for member in members
    )


def _bound(direction: int) -> Callable[[Any, Mapping[str, Any], Any], Iterator[Any]]:
    def beyond(bound: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
        limit = as_decimal(bound)
        if limit is not None:
            for kind in _number_types(schema, value, bound):
                steps = (1,) if kind in ("int", "long") else (Decimal("0.01"), 1)
                for step in (*steps, 1_000_000_000):
                    yield as_number(limit + direction * step, kind)

    return beyond


def _exactly(keyword: str) -> Callable[[Any, Mapping[str, Any], Any], Iterator[Any]]:
    def at_the_bound(_: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
        limit = as_decimal(schema.get(keyword))
        if limit is not None:
            for kind in _number_types(schema, value, schema[keyword]):
                yield as_number(limit, kind)

    return at_the_bound


def _number_types(schema: Mapping[str, Any], value: Any, bound: Any) -> list[str]:
    kinds = [bson_type(value), *sorted(types_of(schema) & NUMBERS), bson_type(bound), "double"]
    return [kind for kind in dict.fromkeys(kinds) if kind in NUMBERS]


def _multiple(step: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    size, number = as_decimal(step), as_decimal(value) or Decimal(0)
    if size:
        for more in (Decimal(1), size / 2, Decimal("0.001")):
            if (number + more) % size:
                yield from (as_number(number + more, kind) for kind in _number_types(schema, value, step))


def _shorter(least: Any, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    length = int(least) - 1
    if length >= 0:
        texts = [value] if isinstance(value, str) else []
        texts += [each for each in matching_regex(schema.get("pattern", "")) if len(each) <= length]
        yield from (text[:length] for text in (*texts, "x" * length))


def _longer(most: Any, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    length = int(most) + 1
    texts = [value] if isinstance(value, str) and value else []
    texts += [each for each in matching_regex(schema.get("pattern", "")) if each]
    for text in (*texts, "x", "A", "1"):
        middle = len(text) // 2
        yield text.ljust(length, text[-1])
        yield text[:middle] + text[middle] * max(0, length - len(text)) + text[middle:]


def _pattern(pattern: str, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    text = value if isinstance(value, str) else made(schema)
    if isinstance(text, str):
        for odd in ("!", " ", "é", "~", "a", "0", "\n"):
            if text:
                yield odd + text[1:]
                yield text[:-1] + odd
                yield odd * len(text)
        yield from near(text)
        yield from (text + odd for odd in ("!", " ", "\n"))


def _fewer(least: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    if int(least) > 0:
        yield (value if isinstance(value, list) else [])[: int(least) - 1]


def _more(most: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    items = schema.get("items", {})
    elements = (
        value if isinstance(value, list) and value else [made(items if isinstance(items, Mapping) else {})]
    )
    needed = range(int(most) + 1)
    for kinds in _IDENTIFYING:
        yield [elements[at] if at < len(elements) else _varied(elements[-1], at, kinds) for at in needed]
    yield [elements[min(at, len(elements) - 1)] for at in needed]


# what may be changed to make another element of one: the fewer, the fewer other rules it breaks
_IDENTIFYING = (
    ("binData", "objectId"),
    ("binData", "objectId", "string"),
    ("binData", "objectId", "string", *sorted(NUMBERS)),
)


def _varied(value: Any, number: int, kinds: Sequence[str]) -> Any:
    """Another element like *value*: what is in it of one of *kinds* is made different by *number*."""
    kind = bson_type(value)
    if kind == "object":
        return {name: _varied(each, number, kinds) for name, each in value.items()}
    if kind not in kinds:
        return value
    if isinstance(value, UUID):
        return UUID(int=value.int ^ (number + 1))
    if isinstance(value, ObjectId):
        return ObjectId((int.from_bytes(value.binary, "big") ^ (number + 1)).to_bytes(12, "big"))
    if (found := as_decimal(value)) is not None:
        return like(value, found + number)
    return f"{value}{number}" if kind == "string" else value


def _repeated(unique: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    if unique:
        elements = value if isinstance(value, list) and value else None
        if elements is None:
            items = schema.get("items", {})
            elements = [made(items if isinstance(items, Mapping) else {})]
        yield [*elements, elements[-1]]
        yield [elements[0], elements[0], *elements[2:]]


def _fewer_fields(least: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping) and int(least) > 0:
        required = set(schema.get("required", ()))
        ordered = sorted(value, key=lambda name: name not in required)
        yield {name: value[name] for name in ordered[: int(least) - 1]}


def _more_fields(most: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    filled = {**made(_as_object(schema, most)), **(value if isinstance(value, Mapping) else {})}
    for pattern in schema.get("patternProperties", {}):
        for name in matching_regex(pattern):
            filled.setdefault(name, made(schema["patternProperties"][pattern]))
    others = schema.get("additionalProperties", {})
    while len(filled) <= int(most):
        example = made(others) if isinstance(others, Mapping) else 1
        filled[other_name(filled, named(schema))] = example
    yield filled


def _as_object(schema: Mapping[str, Any], most: Any) -> dict[str, Any]:
    return {**schema, "bsonType": "object", "maxProperties": int(most) + 1, "enum": ()}


def _extra_field(_: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    fields = value if isinstance(value, Mapping) else {}
    yield {**fields, other_name(fields, named(schema)): 1}


def _extra_item(_: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    if isinstance(items := schema.get("items"), Sequence):
        elements = list(value) if isinstance(value, list) else []
        elements += [made(each) for each in items[len(elements) :]]
        yield [*elements, 1]


def _no_branch(branches: Sequence[Mapping[str, Any]], schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    together: dict[str, Any] = {}
    for each in map(made, branches):
        together |= each if isinstance(each, Mapping) else {}
    yield from ([together] if together else [])
    yield from near(value)
    yield from (of_type(kind) for kind in types_of(schema) or _PLAIN)
    yield from map(made, branches)
    yield from of_other_types(value, types_of(schema))


def _negated(negated: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    for everything in (False, True):
        example = made(negated, everything=everything)
        yield {**value, **example} if isinstance(value, Mapping) and isinstance(example, Mapping) else example
    yield from near(value)
    yield from (of_type(kind) for kind in _PLAIN)


def _plaintext(_: Any, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    yield from ("workbench", 1)


_BREAKS: Mapping[str, Callable[[Any, Mapping[str, Any], Any], Iterator[Any]]] = {
    "bsonType": _type,
    "type": _type,
    "enum": _enum,
    "minimum": _bound(-1),
    "maximum": _bound(1),
    "exclusiveMinimum": _exactly("minimum"),
    "exclusiveMaximum": _exactly("maximum"),
    "multipleOf": _multiple,
    "minLength": _shorter,
    "maxLength": _longer,
    "pattern": _pattern,
    "minItems": _fewer,
    "maxItems": _more,
    "uniqueItems": _repeated,
    "minProperties": _fewer_fields,
    "maxProperties": _more_fields,
    "additionalProperties": _extra_field,
    "additionalItems": _extra_item,
    "anyOf": _no_branch,
    "oneOf": _no_branch,
    "not": _negated,
    "encrypt": _plaintext,
}


# Conditions of a query, and expressions


def _breaking_query(condition: Mapping[str, Any], good: Document) -> Iterator[tuple[Document, Place]]:
    """*good* with the fields of *condition* changed, removed, and set to the values that it speaks of."""
    for path, arguments in _fields(condition):
        for place in _places_of(path, good):
            value = value_at(good, place)
            changed = [] if value is MISSING else [*near(value)]
            spoken = [each for argument in arguments for each in (argument, *near(argument))]
            kinds = frozenset() if value is MISSING else frozenset([bson_type(value)])
            for bad in (*changed, *spoken, MISSING, *of_other_types(None if not kinds else value, kinds)):
                yield with_value(good, place, bad), place


def _fields(condition: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The paths that a query speaks of, each with the values that stand beside it."""
    if not isinstance(condition, Mapping):
        yield path, [condition]
        return
    arguments: list[Any] = []
    for name, value in condition.items():
        if name in ("$and", "$or", "$nor"):
            for each in value:
                yield from _fields(each, path)
        elif name == "$expr":
            yield from ((".".join(map(str, each)), []) for each in _referenced(value))
        elif name in ("$not", "$elemMatch"):
            yield from _fields(value, path)
        elif name.startswith("$"):
            arguments += value if isinstance(value, list) else [value]
        else:
            yield from _fields(value, f"{path}.{name}" if path else name)
    if arguments and path:
        yield path, arguments


def _places_of(path: str, document: Document) -> list[Place]:
    """The places in *document* that *path* names, through arrays too; the path itself where there is none."""
    found = [
        place
        for place, _ in places(document)
        if ".".join(step for step in place if isinstance(step, str)) == path and isinstance(place[-1], str)
    ]
    return found or [tuple(path.split("."))]


def _breaking_expression(
    expression: Any, good: Document, schema: Mapping[str, Any]
) -> Iterator[tuple[Document, Place]]:
    """*good* with the values that *expression* compares changed, removed, added, set to one another.

    A value that is added is one of those that *schema* allows there.
    """
    exact = set(_referenced(expression))
    roots = {path[0] for path in exact}
    leaves = [
        (place, value)
        for place, value in places(good)
        if (not roots or place[0] in roots) and not isinstance(value, Mapping)
    ]
    leaves.sort(key=lambda leaf: tuple(step for step in leaf[0] if isinstance(step, str)) not in exact)
    literals = list(islice(_literals(expression), 20))
    for path in exact:
        if value_at(good, path) is MISSING:
            yield with_value(good, path, made(_schema_at(schema, path))), path
    for place, value in leaves:
        yield from ((with_value(good, place, bad), place) for bad in near(value))
        yield from ((with_value(good, place, bad), place) for bad in _as_long(value, literals))
        yield with_value(good, place, MISSING), place
    yield from _paired(leaves[:_MOST_PAIRED], good)
    for place, value in leaves:
        for bad in (*literals, *of_other_types(value, frozenset([bson_type(value)]))):
            yield with_value(good, place, bad), place
    for path in exact:
        if value_at(good, path) is MISSING:
            for bad in (*literals, *(of_type(kind) for kind in _PLAIN)):
                yield with_value(good, path, bad), path


def _schema_at(schema: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """What *schema* says of the field at *path*, an empty schema where it says nothing."""
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
    return schema


def _paired(leaves: Sequence[tuple[Place, Any]], good: Document) -> Iterator[tuple[Document, Place]]:
    """Each value put in the place of another that it can be compared with, as it is and moved a little."""
    for place, value in leaves:
        for other, model in leaves:
            number = as_decimal(model)
            if other != place and (bson_type(value) == bson_type(model) or (number and as_decimal(value))):
                for bad in islice((model, *near(model)), 3):
                    yield (
                        with_value(
                            good, place, bad if number is None else like(value, as_decimal(bad) or number)
                        ),
                        place,
                    )


def _as_long(value: Any, literals: Sequence[Any]) -> Iterator[Any]:
    """Values like *value* that are as long as one of the numbers that an expression speaks of."""
    for length in literals:
        if isinstance(length, int) and not isinstance(length, bool) and 0 <= length <= _LONGEST:
            if isinstance(value, bytes):
                subtype = getattr(value, "subtype", 0)
                yield Binary(bytes(length), 0 if subtype in (3, 4) else subtype)
            elif bson_type(value) == "binData":
                yield bytes(length)
            elif isinstance(value, str):
                yield "x" * length


def _referenced(expression: Any) -> Iterator[tuple[str, ...]]:
    """The fields that *expression* reads, as it names them; those of its own variables are left out."""
    if isinstance(expression, str):
        if expression.startswith("$$"):
            names = expression[2:].split(".")
            if names[0] in ("ROOT", "CURRENT") and len(names) > 1:
                yield tuple(names[1:])
        elif expression.startswith("$"):
            yield tuple(expression[1:].split("."))
    elif isinstance(expression, Mapping):
        for name, below in expression.items():
            if name != "$literal":
                yield from _referenced(below)
    elif isinstance(expression, (list, tuple)):
        for below in expression:
            yield from _referenced(below)


def _literals(expression: Any) -> Iterator[Any]:
    if isinstance(expression, Mapping):
        below: Iterable[Any] = expression.values()
    elif isinstance(expression, (list, tuple)):
        below = expression
    else:
        if not (isinstance(expression, str) and expression.startswith("$")):
            yield from (expression, *islice(near(expression), 2))
        return
    for each in below:
        yield from _literals(each)
