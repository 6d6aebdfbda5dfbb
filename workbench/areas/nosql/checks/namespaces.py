"""Collections of a database: how many, and families of one shape that are one collection cut in pieces."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.areas.nosql.checks.context import AREA, Context
from workbench.areas.nosql.checks.naming import word_set
from workbench.catalog.collections import Collection
from workbench.catalog.shapes import Shape, written
from workbench.documents.mongosh import shell, spelled
from workbench.proof.findings import Evidence, Finding

MANY = 10_000  # collections of a replica set
DATED, NUMBERED, TENANTS = 6, 10, 5  # members from which a family is one
ALONE, ALONE_PATHS = 15, 4  # the same of words that differ and have one family: members, and paths of each
ALIKE = 0.8  # of the paths of two shapes, by Jaccard's index
_HEX = re.compile(
    r"(?<![^\W_])(?=[a-f]*\d)[0-9a-f]{8}(?:[0-9a-f]{4,}|(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![^\W_])"
)
_PARTS = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
_MONTHS = word_set(
    "jan feb mar apr may jun jul aug sep oct nov dec january february march april june july august "
    "september october november december q1 q2 q3 q4"
)


@dataclass(frozen=True)
class Family:
    """Collections whose names differ in one part only; *pattern* has ``*`` for it."""

    pattern: str
    members: tuple[str, ...]
    by: str  # date, number, tenant
    least_paths: int = 1  # that each must have to be told alike


def too_many_collections(context: Context) -> Iterator[Finding]:
    """More than 10,000 collections, and families such as ``events_2024_01`` that are one in pieces.

    Source: MongoDB manual, Reduce the Number of Collections: at most 10,000 a replica set; each collection
    and index is a file with a share of the cache.
    """
    stored = [collection for collection, _ in context.stored()]
    if len(stored) > MANY:
        yield _too_many(context, stored)
    for family in families([collection.name for collection in stored]):
        if alike(family.members, context.shapes, least_paths=family.least_paths):
            yield _family(context, family)


def _too_many(context: Context, stored: Sequence[Collection]) -> Finding:
    files = len(stored) + sum(len(collection.indexes) for collection in stored)
    return Finding(
        area=AREA,
        check="too_many_collections",
        severity="error",
        object=written((context.catalog.database,)),
        title=f"{context.catalog.database} has {len(stored):,} collections",
        why=f"{len(stored):,} collections and their indexes are {files:,} files, each with a share of the "
        "cache; "
        f"start-up, checkpoints and listing them slow down. MongoDB advises at most {MANY:,} a replica set. "
        "Source: "
        "MongoDB manual, Reduce the Number of Collections.",
        fix="// put collections of one shape in one, with the field that tells them apart first in its "
        "indexes",
        verified=True,
        evidence=(
            Evidence(
                "count",
                "Counted in the catalog.",
                context.looked_at_on,
                {"collections": len(stored), "files": files},
            ),
        ),
    )


def families(names: Sequence[str]) -> list[Family]:
    """The families among *names*, the largest first; a name is in one of them."""
    found: list[Family] = []
    taken: set[str] = set()
    by_pattern: dict[str, list[str]] = defaultdict(list)
    for name in names:
        pattern = _without_numbers(name)
        if pattern != name:
            by_pattern[pattern].append(name)
    for pattern, members in sorted(by_pattern.items(), key=lambda item: (-len(item[1]), item[0])):
        dated = all(_dated(name) for name in members)
        if len(members) >= (DATED if dated else NUMBERED):
            found.append(Family(pattern, tuple(sorted(members)), "date" if dated else "number"))
            taken.update(members)
    found += _tenants([name for name in names if name not in taken])
    return found


def _without_numbers(name: str) -> str:
    """The name with ``*`` for each number, month and id, those beside each other as one."""
    found = _PARTS.findall(_HEX.sub("*", name))
    parts = ["*" if part.isdigit() or part.lower() in _MONTHS else part for part in found]
    return re.sub(r"\*(?:[\W_]?\*)+", "*", "".join(parts))


def _dated(name: str) -> bool:
    """Whether the numbers in the name are a year, or a year and what follows it."""
    return any(re.match(r"(?:19|20)\d\d(?:\d\d(?:\d\d)?)?\Z", part) for part in _PARTS.findall(name))


def _tenants(names: Sequence[str]) -> list[Family]:
    """Families ``*_orders``, ``*_users`` … that the same five or more first (or last) words share.

    One such family alone must have 15 members: ``ref_countries``, ``ref_currencies`` are different things.
    """
    found: list[Family] = []
    for first in (True, False):
        owners: dict[str, set[str]] = defaultdict(set)
        for name in names:
            head, mark, tail = name.partition("_") if first else name.rpartition("_")
            if head and mark and tail:
                what, owner = (tail, head) if first else (head, tail)
                owners[what].add(owner)
        for what, whose in sorted(owners.items()):
            twins = [
                other for other, theirs in owners.items() if other != what and len(theirs & whose) >= TENANTS
            ]
            if (len(whose) >= TENANTS and twins) or len(whose) >= ALONE:
                pattern = f"*_{what}" if first else f"{what}_*"
                members = (f"{owner}_{what}" if first else f"{what}_{owner}" for owner in whose)
                paths = 1 if twins else ALONE_PATHS
                found.append(Family(pattern, tuple(sorted(members)), "tenant", paths))
    return found


def alike(members: Sequence[str], shapes: Mapping[str, Shape], *, least_paths: int = 1) -> bool:
    """Whether at least half of the members were read and have documents, and those have the same paths."""
    known = [shapes[name] for name in members if name in shapes and shapes[name].documents]
    if len(known) < max(2, len(members) / 2):
        return False
    paths = [{names for names, node in shape.walk() if names != ("_id",)} for shape in known]
    first = max(paths, key=len)
    return len(first) >= least_paths and all(len(each & first) >= ALIKE * len(each | first) for each in paths)


def _family(context: Context, family: Family) -> Finding:
    members = [context.catalog.collection(name) for name in family.members]
    indexes = sum(len(collection.indexes) for collection in members)
    documents = sum(collection.documents or 0 for collection in members)
    differs = {"date": "a date", "number": "a number", "tenant": "whose it is"}[family.by]
    one = family.pattern.replace("*", "").strip("_-. ") or "all"
    field = {"date": "period", "number": "number", "tenant": "tenant"}[family.by]
    exact = all(name in context.shapes and context.shapes[name].full for name in family.members)
    return Finding(
        area=AREA,
        check="too_many_collections",
        severity="warn",
        object=written((context.catalog.database, family.pattern)),
        title=f"{len(members)} collections {family.pattern} of {context.catalog.database} are one, cut by "
        f"{differs}",
        why=f"{family.members[0]} to {family.members[-1]}: {len(members)} collections of one shape with "
        f"{documents:,} documents "
        f"and {indexes} indexes, each a file with a share of the cache. A query over several needs "
        "$unionWith, and "
        "every index is to be made in each. Source: MongoDB manual, Reduce the Number of Collections.",
        fix=f"// one collection with a field for {differs}, an index that begins with it, and a TTL index or "
        "a time "
        "series collection where the old ones are dropped\n"
        f"db.getCollectionNames().filter(name => {_member_pattern(family)}.test(name)).forEach(name => "
        f'db.getCollection(name).aggregate([{{"$set": {{{spelled(field)}: name}}}}, {{"$merge": {{"into": '
        f'{spelled(one)}, "whenMatched": "fail"}}}}]));  // where _ids are the same in two, it says so\n'
        f'{shell(one)}.createIndex({{{spelled(field)}: 1, "_id": 1}});\n'
        "// then drop the collections that were merged, once nothing reads or writes them",
        verified=exact,
        unverified_because="" if exact else "the shapes of some of them rest on samples or were not read",
        evidence=(
            Evidence(
                "count",
                f"The shapes of the {len(members)} collections were compared.",
                context.looked_at_on,
                {
                    "collections": len(members),
                    "indexes": indexes,
                    "documents": documents,
                    "names": list(family.members[:100]),
                },
            ),
        ),
    )


def _member_pattern(family: Family) -> str:
    body = "(.+)".join(re.escape(part) for part in family.pattern.split("*")).replace("/", r"\/")
    return f"/^{body}$/"
