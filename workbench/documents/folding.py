"""Objects whose keys are data: told by many different, rare names over values that are alike.

Three kinds of evidence, from strong to weak: names written as data (numbers, dates, ids, hashes,
addresses); names of one pattern with a number in it, by the thousand; names that still keep coming
(the share of names seen once, Good and Turing's estimate that the next one is new). A document with
hundreds of optional fields shows none of them: its names are words, and none is new after a while.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable

from workbench.documents.counting import Arrays, Counting, Field, Objects, alias, every_name
from workbench.documents.formats import is_data_key

_WRITTEN_AS_DATA = 20  # as many names written as data are keys, whatever their share
_FEW_WRITTEN_AS_DATA = 5  # as few where they are in half of the objects at most
_FEW_SHARE = 0.5
_TOP_LEVEL_SHARE = 0.1  # at the top of a document names are fields unless they are rare
_COMING = 200  # names of which new ones keep coming,
_NEW_SHARE = 0.2  # one in five occurrences
_COMING_OCCURRENCES = 1_000
_NUMBERED = 1_000  # names of one pattern with a number
_RARE_SHARE = 0.02
_ALIKE = 0.9  # of the values have the type that most have
_ALIKE_FIELDS = 0.3  # how often two of the objects below share a field
_DIGITS = re.compile(r"\d+|[0-9a-f]{8,}")


def keys_that_are_data(objects: Objects, *, top: bool, so_far: bool = False) -> set[str]:
    """The fields of *objects* whose names are data.

    While documents are still to come (*so_far*) only the strong evidence counts, which more of them
    cannot take away.
    """
    if objects.key is not None or len(objects.fields) < _FEW_WRITTEN_AS_DATA:
        return set()
    occurrences = objects.occurrences
    written_as_data = {name for name in occurrences if is_data_key(name)}
    if _are_written_as_data(objects, occurrences, written_as_data, top=top):
        return written_as_data if _alike(objects, written_as_data) else set()
    if top or so_far:
        return set()
    rare = {name for name, times in occurrences.items() if times <= _FEW_SHARE * objects.count}
    if (_keep_coming(rare, occurrences) or _are_numbered(objects, rare, occurrences)) and _alike(
        objects, rare
    ):
        return rare
    return set()


def crowded(objects: Objects) -> set[str]:
    """The fields of *objects* that can be taken together where there are too many: rare ones alike."""
    if objects.key is not None:
        return set()
    rare = {name for name, times in objects.occurrences.items() if times <= 0.2 * objects.count}
    return rare if len(rare) >= 50 and _alike(objects, rare, share=0.5, fields=0.05) else set()


def fold(counting: Counting, objects: Objects, names: set[str]) -> None:
    """Count the fields *names* of *objects* together from now on, and what is alike in time to come."""
    key = Field()
    for name in names:
        _merge(key, objects.fields.pop(name))
    objects.key = key
    objects.see_keys(names)
    objects.is_key = is_data_key if all(map(is_data_key, names)) else every_name
    counting.paths = count_paths(counting.root)


def fold_all(counting: Counting, judge: Callable[[Objects, bool], set[str]]) -> list[Objects]:
    """Fold what *judge* names of each kind of object (and whether it is the document), from the top down."""
    found, folded = [counting.root], []
    for objects in found:
        names = judge(objects, objects is counting.root)
        if names:
            fold(counting, objects, names)
            folded.append(objects)
        found += objects_in(objects)
    return folded


def count_paths(root: Objects) -> int:
    """How many fields there are below *root*; all the keys of an object that are data are one."""
    return sum(len(each.fields) + (each.key is not None) for each in all_objects(root))


def all_objects(root: Objects) -> list[Objects]:
    """*root* and every kind of object below it, each before what is in it."""
    found = [root]
    for objects in found:
        found += objects_in(objects)
    return found


def objects_in(objects: Objects) -> Iterable[Objects]:
    """The objects that fields of *objects* hold, themselves or in arrays."""
    waiting = [*objects.fields.values(), *([objects.key] if objects.key else [])]
    while waiting:
        field = waiting.pop()
        if field.objects is not None:
            yield field.objects
        if field.arrays is not None:
            waiting.append(field.arrays.elements)


def _are_written_as_data(objects: Objects, occurrences: Counter[str], names: set[str], *, top: bool) -> bool:
    if len(names) < _FEW_WRITTEN_AS_DATA:
        return False
    share = sum(occurrences[name] for name in names) / len(names) / objects.count
    if top:
        return len(names) >= _WRITTEN_AS_DATA and share <= _TOP_LEVEL_SHARE
    return len(names) >= _WRITTEN_AS_DATA or share <= _FEW_SHARE


def _keep_coming(names: set[str], occurrences: Counter[str]) -> bool:
    times = [occurrences[name] for name in names]
    enough = len(names) >= _COMING and sum(times) >= _COMING_OCCURRENCES
    return enough and times.count(1) >= _NEW_SHARE * sum(times)


def _are_numbered(objects: Objects, names: set[str], occurrences: Counter[str]) -> bool:
    if len(names) < _NUMBERED or sum(occurrences[name] for name in names) > (
        _RARE_SHARE * objects.count * len(names)
    ):
        return False
    patterns = Counter(_DIGITS.sub("#", name) for name in names)
    return "#" in patterns.most_common(1)[0][0] and patterns.most_common(1)[0][1] >= _ALIKE * len(names)


def _alike(
    objects: Objects, names: set[str], *, share: float = _ALIKE, fields: float = _ALIKE_FIELDS
) -> bool:
    """Whether the values under *names* mostly have one type, and objects among them the same fields."""
    types: Counter[str] = Counter()
    held: Counter[str] = Counter()
    count = 0
    for name in names:
        found = objects.fields[name]
        types.update({_family(kind): times for kind, times in found.types.items()})
        if found.objects is not None:
            count += found.objects.count
            held.update(found.objects.occurrences)
    del types["null"]
    if types and max(types.values()) < share * types.total():
        return False
    if not held.total():
        return True
    shared = sum(times * times for times in held.values()) / held.total() / count
    return shared >= fields


def _family(kind: type | str) -> str:
    name = alias(kind)
    return "number" if name in ("int", "long", "double", "decimal") else name


def _merge(into: Field, other: Field) -> None:
    """Add what was counted of *other*, and of all below it, to *into*."""
    waiting = [(into, other)]
    while waiting:
        mine, theirs = waiting.pop()
        mine.types.update(theirs.types)
        mine.values.merge(theirs.values)
        if theirs.arrays is not None:
            mine.arrays = mine.arrays or Arrays()
            mine.arrays.lengths.merge(theirs.arrays.lengths)
            waiting.append((mine.arrays.elements, theirs.arrays.elements))
        if theirs.objects is not None:
            mine.objects = mine.objects or Objects()
            waiting += _merge_objects(mine.objects, theirs.objects)


def _merge_objects(mine: Objects, theirs: Objects) -> list[tuple[Field, Field]]:
    mine.count += theirs.count
    pairs = [(mine.fields.setdefault(name, Field()), found) for name, found in theirs.fields.items()]
    if theirs.key is not None:
        mine.key = mine.key or Field()
        mine.is_key = mine.is_key or theirs.is_key
        mine.opaque = mine.opaque or theirs.opaque
        mine.keys_seen |= theirs.keys_seen
        pairs.append((mine.key, theirs.key))
    return pairs
