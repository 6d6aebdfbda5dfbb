"""Types of fields: mixed ones, and values whose type is not that of what they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bson import ObjectId

from workbench.areas.nosql.checks import other_languages
from workbench.areas.nosql.checks.context import Context, types_of
from workbench.areas.nosql.checks.naming import (
    calendar_day,
    code,
    display_text,
    last_name,
    money,
    quantity,
    reference_stem,
    singular,
    word_set,
    words,
)
from workbench.areas.nosql.checks.tallies import (
    Names,
    TypesBy,
    TypesByTally,
    Values,
    ValueTally,
    string_kinds,
    type_family,
)
from workbench.catalog.collections import Collection
from workbench.catalog.shapes import Node, Shape, queried, written
from workbench.documents.mongosh import number_of, share, shell, spelled
from workbench.proof.findings import Finding, Severity

MOST = 0.95  # of a field's strings that must be of one kind
EXPLAINED = (
    0.99  # of the errors in guessing the type that another field must save (Goodman and Kruskal's lambda)
)
FEW_VALUES, VERY_FEW = 200, 6  # that a discriminator may have: by its name, and without one
DOCUMENTS_A_VALUE = 20  # on average; with fewer, values tell types by chance
_DATE_KINDS = ("date and time", "date", "other date")
_CURRENCY_NAMES = frozenset({"currency", "currencycode", "curr", "ccy"})


def _fields(shape: Shape) -> Iterator[tuple[Names, Node]]:
    """The nodes that hold values of their own, each once: fields, elements of arrays, keys that are data."""
    for names, node in shape.walk():
        if node.count:
            yield names, node


def _families(node: Node) -> dict[str, int]:
    """The node's types as families, null aside."""
    counts: Counter[str] = Counter()
    for name, count in node.types.items():
        if name not in ("null", "undefined"):
            counts[type_family(name)] += count
    return dict(counts)


# Mixed types


def type_questions(context: Context) -> Iterator[TypesBy]:
    """What `mixed_types` counts: for each field of several types, what the fields beside it say of them."""
    for _, shape in context.shaped():
        for names, node in _fields(shape):
            if len(_families(node)) > 1:
                yield _types_by(shape, names)


def _types_by(shape: Shape, names: Names) -> TypesBy:
    """The question which of the fields beside or above tells the type at *names*."""
    others: list[tuple[int, str]] = []
    for depth in range(len(names)):
        holder = shape.root if not depth else shape.node(*names[:depth])
        others += [
            (depth, child.name)
            for child in holder.children
            if child.kind == "field" and child.name != names[depth] and _tells_kinds(child, names)
        ]
    return TypesBy(shape.collection, names, tuple(others[-40:]))


def _tells_kinds(node: Node, names: Names) -> bool:
    """Whether a field can say what another one is: by its name, or as a text of very few values."""
    if not node.count or not set(node.types) <= {"string", "int", "long", "double", "bool", "null"}:
        return False
    own = words(node.name)
    if node.name.lower() in _KEY_NAMES or (own and own[-1] in _KEY_NAMES - {"version"}):
        return node.distinct_in_sample <= FEW_VALUES or _value_name(names)
    return set(node.types) <= {"string", "null"} and node.distinct_in_sample <= VERY_FEW


def _value_name(names: Names) -> bool:
    """Whether the name says any value: that of a setting, of an attribute, of a payload."""
    own = words(last_name(names))
    return bool(own) and own[-1] in (
        "value",
        "val",
        "v",
        "default",
        "setting",
        "payload",
        "data",
        "answer",
        "result",
    )


_KEY_NAMES = word_set(
    "_id k key name setting attribute attr property code type kind field option question metric param class "
    "category variant model event action format schema source provider channel mode unit version _v __v "
    "schemaversion schema_version docversion"
)


def mixed_types(context: Context) -> Iterator[Finding]:
    """Fields of several types, where nothing beside them tells which; numbers count as one, null as none.

    A query compares within one type: those of the others do not match. Source: MongoDB manual,
    Comparison/Sort Order, type bracketing; Polymorphic Schema Pattern for a field that tells the type.
    """
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            families = _families(node)
            if len(families) < 2 or _declared(collection, names):
                continue
            tally = context.answer(_types_by(shape, names))
            if tally is not None and (discriminator(tally, names) is not None or _any_value(tally, names)):
                continue
            if _positional(shape, names, families):
                continue
            yield _mixed(context, collection, names, node, families)


def discriminator(tally: TypesByTally, names: Names) -> str | None:
    """The field whose value tells the type, such as ``kind``; None where none of those counted does."""
    total = tally.types.total()
    wrong_without = total - max(tally.types.values(), default=0)
    if not wrong_without:
        return None
    for other, counts in tally.by.items():
        by_value: dict[Any, Counter[str]] = {}
        for (value, family), count in counts.items():
            by_value.setdefault(value, Counter())[family] += count
        covered = sum(each.total() for each in by_value.values())
        wrong_with = sum(each.total() - max(each.values()) for each in by_value.values()) + total - covered
        few = len(by_value) <= min(FEW_VALUES, total / DOCUMENTS_A_VALUE)
        keyed = _value_name(names) and other[1].lower() in _KEY_NAMES
        if len(by_value) > 1 and (few or keyed) and 1 - wrong_with / wrong_without >= EXPLAINED:
            return other[1]
    return None


def _any_value(tally: TypesByTally, names: Names) -> bool:
    """Whether the field is the value of a pair beside whose key the types are mixed as they come.

    The attribute pattern ({k: "power", v: 100}, {k: "colour", v: "red"}) holds any value on purpose. Where
    the key tells most of the types, the few that are otherwise are mistakes.
    """
    if words(last_name(names))[-1:] not in (("value",), ("val",), ("v",)) or names[-2:-1] != ("[]",):
        return False
    largest = max(tally.types.values(), default=0)
    for other, counts in tally.by.items():
        if other[1].lower() not in ("k", "key", "name", "attribute", "attr") or other[0] != len(names) - 1:
            continue
        by_value: dict[Any, Counter[str]] = {}
        for (value, family), count in counts.items():
            by_value.setdefault(value, Counter())[family] += count
        wrong = sum(each.total() - max(each.values()) for each in by_value.values())
        return len(by_value) > 1 and wrong * 2 > tally.types.total() - largest
    return False


def _positional(shape: Shape, names: Names, families: Mapping[str, int]) -> bool:
    """Whether arrays of one short length hold the types in equal parts, as pairs [[150, 75], "a.png"] do."""
    lengths = shape.node(*names[:-1]).lengths if names[-1] == "[]" else None
    if lengths is None or not 2 <= lengths.minimum == lengths.maximum <= 8 or lengths.count < 10:
        return False
    return all(count % lengths.count == 0 for count in families.values())


def _declared(collection: Collection, names: Names) -> bool:
    """Whether the validator names several types for the field, so that the mixture is meant."""
    schema: Any = (collection.validator or {}).get("$jsonSchema")
    for name in names:
        if not isinstance(schema, Mapping):
            return False
        schema = schema.get("items") if name == "[]" else (schema.get("properties") or {}).get(name)
    if not isinstance(schema, Mapping):
        return False
    types = schema.get("bsonType", schema.get("type"))
    several = isinstance(types, list) and len([each for each in types if each != "null"]) > 1
    return several or any(word in schema for word in ("oneOf", "anyOf"))


def _mixed(
    context: Context, collection: Collection, names: Names, node: Node, families: Mapping[str, int]
) -> Finding:
    main = _kept(families)
    others = sum(families.values()) - families[main]
    path = written(names)
    alias = max((name for name in node.types if type_family(name) == main), key=lambda name: node.types[name])
    indexed = any(queried(names) in index.paths for index in collection.indexes if names != ("_id",))
    effect = (
        f"$push, $unwind with its options and $size treat {others:,} values otherwise than the arrays, and a "
        "program "
        "that reads them must tell the two apart"
        if main == "array"
        else "A range or an equality matches values of its own type only: a query for "
        f"{alias} passes over {others:,} values ({share(others, sum(families.values()))}); a sort puts each "
        "type "
        f"apart{', and so does its index' if indexed else ''}"
    )
    texts = context.answer(Values(collection.name, names)) if "string" in families else None
    ordered = texts is not None and bool(_day_order(texts))  # $convert would take the first for the month
    return context.finding(
        "mixed_types",
        "warn",
        collection.name,
        names,
        title=f"{path} of {collection.name} has values of {len(families)} types: "
        f"{', '.join(sorted(families))}",
        why=f"{types_of(node)}, and no field beside it tells which. {effect}. Source: MongoDB manual, "
        "Comparison/Sort Order.",
        fix=_made_one(collection.name, names, alias, main, convert=main != "date" or not ordered),
        counted={
            "collection": collection.name,
            "path": queried(names),
            "types": dict(node.types),
            "not_of_the_main_type": others,
        },
        verified=context.exact(collection.name),
    )


def _kept(families: Mapping[str, int]) -> str:
    """The family that the others are to become: the richer one beside strings, else the most frequent."""
    for richer in ("array", "date", "objectId"):
        if richer in families and (richer == "array" or set(families) == {richer, "string"}):
            return richer
    return max(families, key=lambda name: (families[name], name))


_CONVERTIBLE = ("date", "string", "objectId", "bool", "number")
_YES = ["true", "yes", "y", "1", "on", "ja", "si", "oui", "sim"]
_NO = ["false", "no", "n", "0", "off", "nein", "non", "nao"]


def _made_one(collection: str, names: Names, alias: str, main: str, *, convert: bool = True) -> str:
    """The command that shows the others, that converts them where the server can, and what keeps it so."""
    path = queried(names)
    others = f'{{{spelled(path)}: {{"$exists": true, "$not": {{"$type": {spelled(main)}}}}}}}'
    lines = [f"{shell(collection)}.find({others});  // the documents to correct"]
    plain = convert and "[]" not in names and "*" not in names and path != "_id"
    if plain and main == "array":
        lines.append(
            f"{shell(collection)}.updateMany({others}, [{_set(path, f'[{spelled(chr(36) + path)}]')}]);"
        )
    elif plain and main == "bool":
        lines.append(f"{shell(collection)}.updateMany({others}, [{_set(path, _truth(path))}]);")
    elif plain and main in _CONVERTIBLE:
        lines.append(f"{shell(collection)}.updateMany({others}, [{_set(path, _convert(path, alias))}]);")
    types = ["int", "long", "double", "decimal"] if main == "number" else alias
    lines.append(f"// then a validator that keeps it so: {spelled({'bsonType': types})}")
    return "\n".join(lines)


def _set(path: str, expression: str) -> str:
    return f'{{"$set": {{{spelled(path)}: {expression}}}}}'


def _truth(path: str) -> str:
    """The expression that makes yes and no a bool, and leaves the rest: $convert makes any text true."""
    kept = spelled("$" + path)
    said = f'{{"$toLower": {{"$convert": {{"input": {kept}, "to": "string", "onError": "", "onNull": ""}}}}}}'
    branches = ", ".join(
        f'{{"case": {{"$in": [{said}, {spelled(texts)}]}}, "then": {then}}}'
        for texts, then in ((_YES, "true"), (_NO, "false"))
    )
    return f'{{"$switch": {{"branches": [{branches}], "default": {kept}}}}}'


def _convert(path: str, to: str) -> str:
    """The expression that converts a field and leaves it where it cannot; an empty text is none: null."""
    kept = spelled("$" + path)
    failed = f'{{"$cond": [{{"$eq": [{kept}, ""]}}, null, {kept}]}}' if to != "string" else kept
    return f'{{"$convert": {{"input": {kept}, "to": {spelled(to)}, "onError": {failed}, "onNull": null}}}}'


# Money


def money_questions(context: Context) -> Iterator[Values]:
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            if node.types.get("double") and _money_name(shape, collection, names):
                yield Values(collection.name, names)


def _money_name(shape: Shape, collection: Collection, names: Names) -> str:
    """Whether the field holds money, by its name and by a currency beside it: surely, perhaps, or ""."""
    said = money(names, collection.name)
    plain = words(last_name(names))[-1:] in (("value",), ("amount",), ("sum",), ("net",), ("gross",))
    if (said or plain) and _currency_beside(shape, names):
        return "surely"
    return said


def money_as_double(context: Context) -> Iterator[Finding]:
    """Doubles whose name says money and whose values are amounts: of two decimals, or a hair beside one.

    Source: MongoDB manual, Model Monetary Data: decimal, or an integer of the smallest unit.
    """
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            sure = _money_name(shape, collection, names) if node.types.get("double") else ""
            tally = context.answer(Values(collection.name, names)) if sure else None
            if tally is None or not _amounts(tally) or _rate(names, node):
                continue
            if not _currency_beside(shape, names) and (_unit_beside(shape, names) or _edge(shape, names)):
                continue
            yield _money(context, collection, names, tally, "warn" if sure == "surely" else "info")


def _amounts(tally: ValueTally) -> bool:
    """Whether the doubles look like amounts: whole ones are exact, many decimals are measurements."""
    doubles = tally.types["double"]
    fractions = tally.cents + tally.rounding
    return fractions > 0 and tally.cents + tally.whole + tally.rounding >= MOST * doubles


def _rate(names: Names, node: Node) -> bool:
    """Whether what may be an amount or a share of one (tax, discount, commission) is a share: at most 1."""
    own = words(last_name(names))
    shares = {"tax", "vat", "discount", "commission", "fee", "tip", "margin", "charge", "surcharge", "bonus"}
    return bool(own) and own[-1] in shares and isinstance(node.maximum, int | float) and node.maximum <= 1


def _siblings(shape: Shape, names: Names) -> list[Node]:
    """The fields of the object that holds the last name of *names*."""
    position = max(at for at, name in enumerate(names) if name not in ("[]", "*"))
    holder = shape.node(*names[:position]) if position else shape.root
    return [child for child in holder.children if child.kind == "field" and child.name != names[position]]


def _currency_beside(shape: Shape, names: Names) -> bool:
    beside = {"".join(words(child.name)) for child in _siblings(shape, names)}
    return any(name in _CURRENCY_NAMES or other_languages.currency(name) for name in beside)


_UNITS = (("unit",), ("units",), ("uom",), ("measure",))


def _unit_beside(shape: Shape, names: Names) -> bool:
    """Whether a unit stands beside that is no currency: 2.5 of kg."""
    units = [child for child in _siblings(shape, names) if words(child.name)[-1:] in _UNITS]
    own = set(words(last_name(names)))
    return bool(units) and not {"price", "fee", "cost"} & own


def _edge(shape: Shape, names: Names) -> bool:
    """Whether the cost is that of an edge in a graph."""
    own = words(last_name(names))
    ends = {"source", "from", "fromnode", "sourceid", "start", "startnode"}
    return (
        bool(own)
        and own[-1] in ("cost", "costs")
        and any("".join(words(child.name)) in ends for child in _siblings(shape, names))
    )


def _money(
    context: Context, collection: Collection, names: Names, tally: ValueTally, severity: Severity
) -> Finding:
    doubles = tally.types["double"]
    path = written(names)
    exact, binary = tally.exact_sum, tally.double_sum
    beside = (
        f" {tally.rounding:,} are a hair beside an amount already, such as {tally.rounding_examples[0]!r}."
        if tally.rounding
        else ""
    )
    sums = (
        f" Their sum as doubles is {binary!r}, exactly it is {exact.normalize():f}."
        if repr(binary) != f"{exact.normalize():f}" and float(exact) != binary
        else ""
    )
    sure = "is money and double" if severity == "warn" else "may be money, by its name, and is double"
    return context.finding(
        "money_as_double",
        severity,
        collection.name,
        names,
        title=f"{path} of {collection.name} {sure}",
        why=f"{doubles:,} values are doubles: {tally.cents:,} with one or two decimals, {tally.whole:,} "
        f"whole.{beside}{sums} A "
        "double is a binary fraction: 0.10 is none, sums depend on the order, an amount does not equal "
        "itself after a "
        "calculation. Source: MongoDB manual, Model Monetary Data.",
        fix=_to_decimal(collection.name, names),
        counted={
            "collection": collection.name,
            "path": queried(names),
            "doubles": doubles,
            "of_one_or_two_decimals": tally.cents,
            "whole": tally.whole,
            "a_hair_beside_an_amount": tally.rounding,
            "examples": [repr(value) for value in tally.rounding_examples],
            "sum_of_doubles": repr(binary),
            "exact_sum": f"{exact.normalize():f}",
        },
        verified=context.exact(collection.name),
    )


def _to_decimal(collection: str, names: Names) -> str:
    path = queried(names)
    if "[]" in names or "*" in names:
        return (
            f'// convert each {written(names)} with {{"$round": [{{"$toDecimal": value}}, 2]}} ($map over '
            "the array), "
            "or keep an integer of the smallest unit; then require it in the validator"
        )
    rounded = f'{{"$round": [{{"$toDecimal": {spelled("$" + path)}}}, 2]}}'
    return (
        f'{shell(collection)}.updateMany({{{spelled(path)}: {{"$type": "double"}}}}, '
        f"[{_set(path, rounded)}]);\n"
        "// 2 is the number of decimals of the currency; then require decimal in the validator"
    )


# Strings that are something else


def string_questions(context: Context) -> Iterator[Values]:
    """What the checks of strings count: fields of which some strings look like dates, numbers or ids."""
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            if node.types.get("string") and _worth_counting(node):
                yield Values(collection.name, names)


_DATE_WORDS = word_set("date at on time timestamp day created updated modified expires start end since until")


def _worth_counting(node: Node) -> bool:
    """Whether a sample of the strings holds such, or other values of the field are dates, numbers or ids."""
    kinds = {"iso date", "iso datetime", "integer", "decimal", "objectId", "uuid"}
    other = {"date", "objectId", "uuid", "int", "long", "double", "decimal"} & set(node.types)
    own = words(node.name)
    return bool(
        other
        or kinds & set(node.formats)
        or _DATE_WORDS & set(own)
        or other_languages.date(own)
        or _of_even_length(node)
    )


def _of_even_length(node: Node) -> bool:
    """Whether the strings are about as long as each other and as a date written in words or digits."""
    lengths = node.string_lengths
    return lengths is not None and lengths.minimum >= 8 and lengths.maximum <= min(40, lengths.minimum + 6)


def date_as_string(context: Context) -> Iterator[Finding]:
    """Strings that are dates: with a time, or of a format that does not sort; a day alone is an information.

    Source: MongoDB manual, BSON Types, Date; TTL indexes, date operators and range queries need a date.
    """
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            tally = context.answer(Values(collection.name, names)) if node.types.get("string") else None
            if tally is None or not tally.types["string"] or names == ("_id",):
                continue
            kind = _date_kind(tally)
            if kind is None or display_text(names) or (kind == "date" and _only_days(names, node)):
                continue
            yield _date(context, collection, names, node, tally, kind)


def _date_kind(tally: ValueTally) -> str | None:
    strings = tally.types["string"] - tally.strings["empty"]
    if not strings or sum(tally.strings[kind] for kind in _DATE_KINDS) < MOST * strings:
        return None
    return max(_DATE_KINDS, key=lambda kind: tally.strings[kind])


def _only_days(names: Names, node: Node) -> bool:
    """Whether the field is a day of the calendar by name, and no date is among its values."""
    return calendar_day(names) and not node.types.get("date")


def _date(
    context: Context, collection: Collection, names: Names, node: Node, tally: ValueTally, kind: str
) -> Finding:
    path, strings = written(names), tally.types["string"]
    dates = tally.types["date"]
    severity: Severity = "info" if kind == "date" and not dates else "warn"
    example = tally.string_examples[kind][0]
    beside = f", beside {dates:,} that are dates" if dates else ""
    zones = (
        " They are days without a time: a string keeps them as they are and sorts, but $dateDiff, TTL and a "
        "comparison "
        "with a date need a date."
        if severity == "info"
        else " A comparison with a date matches none of them, a TTL index never removes them, and they sort "
        "as text."
    )
    return context.finding(
        "date_as_string",
        severity,
        collection.name,
        names,
        title=f"{path} of {collection.name} is a date in {number_of(strings, 'string')}{beside}",
        why=f"{sum(tally.strings[each] for each in _DATE_KINDS):,} of {strings:,} strings are dates, such as "
        f"{example!r}{beside}.{zones} Source: MongoDB manual, BSON Types, Date.",
        fix=_to_dates(collection.name, names, tally, example),
        counted={
            "collection": collection.name,
            "path": queried(names),
            "strings": strings,
            "dates_and_times": tally.strings["date and time"],
            "days": tally.strings["date"],
            "of_other_formats": tally.strings["other date"],
            "true_dates": dates,
            "examples": [text for each in _DATE_KINDS for text in tally.string_examples.get(each, [])],
        },
        verified=context.exact(collection.name),
    )


def _to_type(collection: str, names: Names, to: str, expression: str = "") -> str:
    """The command that converts the strings of a field, by *expression* where $convert does not do."""
    path = queried(names)
    if "[]" in names or "*" in names:
        converted = f'{{"$convert": {{"input": value, "to": {spelled(to)}}}}}'
        if expression:
            converted = expression.replace(spelled("$" + path), "value")
        return (
            f"// convert each {written(names)} with {converted} "
            f"($map over the array); then require {to} in the validator"
        )
    return (
        f'{shell(collection)}.updateMany({{{spelled(path)}: {{"$type": "string"}}}}, '
        f"[{_set(path, expression or _convert(path, to))}]);"
    )


def _to_dates(collection: str, names: Names, tally: ValueTally, example: str) -> str:
    """The command that makes dates of the strings; none where the day cannot be told from the month."""
    order = _day_order(tally)
    if order == "unknown":
        return (
            f"// {tally.strings['day first']:,} of {tally.strings['day and month']:,} must have the day "
            f"first, {tally.strings['month first']:,} the month, the others may have either: whoever writes "
            f"{written(names)} must say which, then $dateFromString with that format"
        )
    return _to_type(collection, names, "date", _from_text(queried(names), example, order))


def _day_order(tally: ValueTally) -> str:
    """``%d`` or ``%m``, which comes first in dates of numbers; unknown where both may; "" of other dates."""
    if not tally.strings["day and month"]:
        return ""
    days, months = tally.strings["day first"], tally.strings["month first"]
    return "unknown" if bool(days) == bool(months) else "%d" if days else "%m"


def _from_text(path: str, example: str, first: str) -> str:
    """The expression that reads dates written as *example* is, by day, month and year; "" of others."""
    found = re.match(r"(\d+)([/.])(\d+)[/.](\d+)(.*)", example)
    if found is None:
        return ""
    mark = found[2]
    parts = [first, "%m" if first == "%d" else "%d", "%Y"] if first else ["%Y", "%m", "%d"]
    time = " %H:%M:%S" if found[5].count(":") == 2 else " %H:%M" if ":" in found[5] else ""
    kept = spelled("$" + path)
    return (
        f'{{"$dateFromString": {{"dateString": {kept}, "format": {spelled(mark.join(parts) + time)}, '
        f'"onError": {kept}}}}}'
    )


def number_as_string(context: Context) -> Iterator[Finding]:
    """Strings that are numbers to calculate with: by the field's name, or because others of it are numbers.

    Codes are left alone: telephone and postal codes, versions, order numbers, whatever has leading zeros.
    """
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            tally = context.answer(Values(collection.name, names)) if node.types.get("string") else None
            strings = tally.types["string"] - tally.strings["empty"] if tally is not None else 0
            if tally is None or not strings or names == ("_id",) or code(names):
                continue
            numbers = sum(tally.types[each] for each in ("int", "long", "double", "decimal"))
            if tally.strings["number"] < MOST * strings:
                continue
            if not (quantity(names, collection.name) or numbers):
                continue
            yield _number(context, collection, names, tally, numbers)


def _number(
    context: Context, collection: Collection, names: Names, tally: ValueTally, numbers: int
) -> Finding:
    path, strings = written(names), tally.types["string"]
    beside = f", beside {numbers:,} that are numbers" if numbers else ""
    to = "decimal" if tally.strings["decimal number"] else "long"
    return context.finding(
        "number_as_string",
        "warn",
        collection.name,
        names,
        title=f"{path} of {collection.name} is a number in {number_of(strings, 'string')}{beside}",
        why=f"{tally.strings['number']:,} of {strings:,} strings are numbers, such as "
        f"{tally.string_examples['number'][0]!r}"
        f'{beside}. They compare as text, where "100" comes before "20", a comparison with a number matches '
        "none of "
        "them, and $sum counts them as 0. Source: MongoDB manual, Comparison/Sort Order; $sum.",
        fix=_to_type(collection.name, names, to),
        counted={
            "collection": collection.name,
            "path": queried(names),
            "strings": strings,
            "numbers_in_strings": tally.strings["number"],
            "true_numbers": numbers,
            "examples": tally.string_examples["number"],
        },
        verified=context.exact(collection.name),
    )


# Identifiers


def id_as_string(context: Context) -> Iterator[Finding]:
    """Strings that are ids of another type, as the ``_id`` of a collection has: ObjectIds, UUIDs, numbers.

    A hash of 24 hexadecimal digits is told apart by whether a document of that ``_id`` is there, or by the
    time in an ObjectId's first four bytes, which must be after 2009 and not to come. UUIDs and numbers count
    where the collection that the name points to has them. Source: MongoDB manual, ObjectId; $lookup, which
    matches within one type.
    """
    for collection, shape in context.shaped():
        for names, node in _fields(shape):
            tally = context.answer(Values(collection.name, names)) if node.types.get("string") else None
            form = _id_form(tally) if tally is not None else None
            if tally is None or form is None:
                continue
            target = _target(context, names, tally, form)
            if target is not None or _object_ids(names, tally, form):
                yield _id(context, collection, names, tally, form, target)


@dataclass(frozen=True)
class _Form:
    """What strings may be instead: their *kind* among `string_kinds`, the type, how a text becomes it."""

    kind: str
    alias: str
    made: Callable[[str], Any]
    noun: str


@dataclass(frozen=True)
class _Target:
    """Where the ids are documents: *found* of *asked* that were looked up."""

    collection: str
    found: int
    asked: int


_FORMS = (
    _Form("object id", "objectId", ObjectId, "an ObjectId"),
    _Form("uuid", "uuid", UUID, "a UUID"),
    _Form("number", "number", int, "a number"),
)
_LEAST_IDS = 3
_ALL = 0.99
_ASKED = 1_000


def _id_form(tally: ValueTally) -> _Form | None:
    """Which ids the strings are by their form; None where they are not."""
    strings = tally.types["string"] - tally.strings["empty"]
    if strings < _LEAST_IDS or tally.strings["decimal number"]:
        return None
    return next((form for form in _FORMS if tally.strings[form.kind] >= _ALL * strings), None)


def _object_ids(names: Names, tally: ValueTally, form: _Form) -> bool:
    """Whether the times in the texts are those of ObjectIds, and the field is an id or has such as well."""
    if form.alias != "objectId" or tally.strings["plausible object id"] < _ALL * tally.strings["object id"]:
        return False
    return names == ("_id",) or _identifier(names) or bool(tally.types["objectId"])


def _identifier(names: Names) -> bool:
    own = words(last_name(names))
    return bool(own) and own[-1] in ("id", "ids", "ref", "refs", "oid", "oids")


def _target(context: Context, names: Names, tally: ValueTally, form: _Form) -> _Target | None:
    """The collection in which at least half of the ids are documents, under the type of its ``_id``."""
    texts = [value for kind, value in tally.distinct if kind == "string"]
    ids = [form.made(text) for text in texts if form.kind in string_kinds(text)][:_ASKED]
    if names == ("_id",) or not ids:
        return None
    for other in _by_likeness(context, names, form):
        existing = context.existing(other, ids)
        if existing is not None and len(existing) * 2 >= len(ids):
            return _Target(other, len(existing), len(ids))
    return None


def _by_likeness(context: Context, names: Names, form: _Form) -> list[str]:
    """Collections whose ``_id`` has the type: those the name points to, then the largest (of no numbers)."""
    stem = reference_stem(last_name(names)) or "_".join(words(last_name(names)))
    named: list[str] = []
    others: list[tuple[int, str]] = []
    for collection, shape in context.shaped():
        identity = next((child for child in shape.root.children if child.name == "_id"), None)
        if identity is not None and form.alias in {*identity.types, *map(type_family, identity.types)}:
            alike = singular("_".join(words(collection.name))) == stem
            if alike:
                named.append(collection.name)
            else:
                others.append((-shape.documents, collection.name))
    largest = [name for _, name in sorted(others)[:20]]
    return [*named, *([] if form.alias == "number" else largest)]


def _id(
    context: Context,
    collection: Collection,
    names: Names,
    tally: ValueTally,
    form: _Form,
    target: _Target | None,
) -> Finding:
    path, strings = written(names), tally.types["string"]
    proper = sum(count for name, count in tally.types.items() if form.alias in (name, type_family(name)))
    beside = f", beside {proper:,} that are not text" if proper else ""
    to = (
        f" {target.found:,} of {target.asked:,} that were looked up are the _id of a document of "
        f"{target.collection}, as {form.alias}."
        if target
        else ""
    )
    return context.finding(
        "id_as_string",
        "warn" if target or proper else "info",
        collection.name,
        names,
        title=f"{path} of {collection.name} is {form.noun} in {number_of(strings, 'string')}{beside}",
        why=f"{tally.strings[form.kind]:,} of {strings:,} strings are {form.noun.partition(' ')[2]}s by "
        "their form"
        f"{beside}.{to} As text an ObjectId takes 29 bytes instead of 12 and a UUID 41 instead of 21, in the "
        "document and in every index, and neither $lookup nor an equality matches the id with its text. "
        "Source: "
        "MongoDB manual, ObjectId; $lookup.",
        fix=_retyped(collection.name, names, form),
        counted={
            "collection": collection.name,
            "path": queried(names),
            "strings": strings,
            "ids_in_strings": tally.strings[form.kind],
            "ids_of_their_type": proper,
            "type": form.alias,
            "example": tally.string_examples[form.kind][0],
            "target": target.collection if target else "",
            "looked_up": target.asked if target else 0,
            "found_in_target": target.found if target else 0,
        },
        verified=context.exact(collection.name),
    )


def _retyped(collection: str, names: Names, form: _Form) -> str:
    if names == ("_id",):
        return (
            f"// the _id of a document cannot be changed: write new documents with {form.alias}, and the "
            "references "
            "to them along with them"
        )
    if form.alias == "uuid":
        return (
            f'// {written(names)} by a program: {shell(collection)}.updateOne({{"_id": _id}}, '
            f'{{"$set": {{{spelled(queried(names))}: UUID(text)}}}})'
        )
    return _to_type(collection, names, "long" if form.alias == "number" else form.alias)
