"""A schema's tables parted into groups that a reader can take in: who refers to whom decides."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from workbench.diagrams.relations import Relation, TableKey

READABLE_TABLES = 25  # above this many, a picture is read worse than two
_SMALL = 4


def communities(
    tables: Sequence[TableKey], found: Iterable[Relation], *, most: int = READABLE_TABLES
) -> list[list[TableKey]]:
    """*tables* in groups of at most *most* that relations hold together, the largest first.

    Greedy modularity (Clauset, Newman, Moore 2004) with a cap on the size; groups of fewer than four
    join the neighbour they have most relations with. What is still so small, and tables without any
    relation among *tables*, come last in groups by the order of their names.
    """
    names = sorted(tables)
    links = _links(names, found)
    related = [key for key in names if links[key]]
    members = {number: [key] for number, key in enumerate(related)}
    _merge(members, {key: number for number, key in enumerate(related)}, links, most)
    _adopt(members, links, most)
    large = [sorted(group) for group in members.values() if len(group) >= _SMALL]
    placed = {key for group in large for key in group}
    loose = [key for key in names if key not in placed]
    return [
        *sorted(large, key=lambda group: (-len(group), group)),
        *(loose[start : start + most] for start in range(0, len(loose), most)),
    ]


def _links(tables: Sequence[TableKey], found: Iterable[Relation]) -> dict[TableKey, dict[TableKey, int]]:
    """For each table, its neighbours and how many relations lead to or from each."""
    links: dict[TableKey, dict[TableKey, int]] = {key: defaultdict(int) for key in tables}
    for relation in found:
        if relation.child != relation.parent and relation.child in links and relation.parent in links:
            links[relation.child][relation.parent] += 1
            links[relation.parent][relation.child] += 1
    return links


def _merge(
    members: dict[int, list[TableKey]],
    home: Mapping[TableKey, int],
    links: Mapping[TableKey, Mapping[TableKey, int]],
    most: int,
) -> None:
    """Merge the two groups whose union raises modularity most, until none does or fits."""
    weights = {
        number: {home[other]: float(count) for other, count in links[key].items()}
        for number, (key,) in members.items()
    }
    degrees = {number: sum(weights[number].values()) for number in members}
    total = sum(degrees.values()) or 1.0

    def gain(a: int, b: int) -> float:
        return weights[a][b] - degrees[a] * degrees[b] / total

    def offers(a: int) -> list[tuple[float, int, int]]:
        return [(-gain(a, b), min(a, b), max(a, b)) for b in weights[a] if gain(a, b) > 0]

    heap = [offer for number in members for offer in offers(number)]
    heapq.heapify(heap)
    while heap:
        offered, a, b = heapq.heappop(heap)
        if a not in members or b not in members or len(members[a]) + len(members[b]) > most:
            continue
        if -gain(a, b) != offered:  # made before one of them grew
            continue
        _join(a, b, members, weights)
        degrees[a] += degrees.pop(b)
        for offer in offers(a):
            heapq.heappush(heap, offer)


def _join(a: int, b: int, members: dict[int, list[TableKey]], weights: dict[int, dict[int, float]]) -> None:
    """Take group *b* into group *a*."""
    members[a] += members.pop(b)
    for other, weight in weights.pop(b).items():
        del weights[other][b]
        if other != a:
            weights[a][other] = weights[a].get(other, 0.0) + weight
            weights[other][a] = weights[a][other]


def _adopt(
    members: dict[int, list[TableKey]], links: Mapping[TableKey, Mapping[TableKey, int]], most: int
) -> None:
    """Let each group of fewer than four join the neighbour it has most relations with, where that fits."""
    home = {key: number for number, group in members.items() for key in group}
    for number in sorted(members, key=lambda each: (len(members[each]), each)):
        if len(members[number]) >= _SMALL:
            continue
        ties: dict[int, int] = defaultdict(int)
        for key in members[number]:
            for other, count in links[key].items():
                if home[other] != number and len(members[home[other]]) + len(members[number]) <= most:
                    ties[home[other]] += count
        if ties:
            host = max(ties, key=lambda each: (ties[each], -each))
            for key in members[number]:
                home[key] = host
            members[host] += members.pop(number)
