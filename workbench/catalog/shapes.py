"""The shape of a collection's documents: which fields, how often, of which types, as plain facts.

Types are named as BSON's aliases (``string``, ``int``, ``long``, ``double``, ``decimal``, ``date``,
``objectId``, ``object``, ``array``, ``binData``, ``bool``, ``null``, ``regex``, ``timestamp``,
``minKey``, ``maxKey``, ``javascript``, ``dbPointer``, ``uuid`` for binData of subtype 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NodeKind = Literal["document", "field", "element", "key"]


@dataclass(frozen=True)
class Spread:
    """A distribution of whole numbers, such as array lengths; the quantiles are of a sample of *sampled*."""

    count: int
    minimum: int
    maximum: int
    mean: float
    median: float
    p95: float
    p99: float
    sampled: int


@dataclass(frozen=True)
class Node:
    """One field path. All counts are exact over the documents that were read.

    *count* is how often it occurs, *parents* in how many objects (or, for elements, arrays) it could
    have; *types* adds up to *count*. A node of kind ``key`` stands for all the fields of an object
    whose keys are data (ids, dates); one of kind ``element`` for the elements of an array.
    *mean_bytes* (BSON, with its name), *formats* (``email``, ``uuid``, ``iso date`` … by share of the
    *tested* strings), *examples* and *values* come from a sample.
    """

    name: str
    kind: NodeKind
    count: int
    parents: int
    types: Mapping[str, int]
    children: tuple[Node, ...] = ()
    lengths: Spread | None = None  # of arrays, exact in count, minimum, maximum and mean
    string_lengths: Spread | None = None  # in characters, of a sample
    mean_bytes: float = 0.0
    formats: Mapping[str, int] = field(default_factory=dict)
    tested: int = 0  # strings that were tested for formats
    values: tuple[Any, ...] | None = None  # all the values of the sample, where they are few
    distinct_in_sample: int = 0
    sampled: int = 0  # values that *values*, *distinct_in_sample* and the bytes rest on
    minimum: Any = None  # of numbers and dates, in the sample
    maximum: Any = None
    keys: int = 0  # kind ``key``: how many different keys were seen (a lower bound above the limit)

    @property
    def share(self) -> float:
        return self.count / self.parents if self.parents else 0.0

    @property
    def optional(self) -> bool:
        return self.count < self.parents

    @property
    def polymorphic(self) -> bool:
        """Of more than one type, null aside; whole numbers of both widths and doubles count apart."""
        return len([each for each in self.types if each != "null"]) > 1


@dataclass(frozen=True)
class Shape:
    """The shape of *collection*, from *documents* read of *of* (None where the total is not known).

    *full* says that every document was read, so that the counts are the collection's.
    """

    collection: str
    documents: int
    of: int | None
    full: bool
    root: Node
    size_bytes: int  # of all documents that were read
    sizes: Spread  # of a document, in bytes
    paths: int  # different field paths
    limit_reached: str = ""  # what was folded or left out for being too many, in words

    def walk(self) -> Iterator[tuple[tuple[str, ...], Node]]:
        """Every node but the root with the names above it; elements are ``[]``, keys that are data ``*``."""

        def below(node: Node, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
            for child in node.children:
                path = (*names, step(child))
                yield path, child
                yield from below(child, path)

        yield from below(self.root, ())

    def node(self, *names: str) -> Node:
        """The node at *names*, written as in `walk`. Raises KeyError."""
        for path, found in self.walk():
            if path == names:
                return found
        raise KeyError(names)


def step(node: Node) -> str:
    return {"element": "[]", "key": "*"}.get(node.kind, node.name)


def written(names: tuple[str, ...]) -> str:
    """A path as it is shown: ``items[].sku``, ``prices.*.amount``; a name with a dot or none in brackets."""
    text = ""
    for name in names:
        if name == "[]":
            text += "[]"
        elif not name or (set(name) & set(".[]*\"'\\ ") and name != "*"):
            text += '["' + name.replace("\\", "\\\\").replace('"', '\\"') + '"]'
        else:
            text += ("." if text else "") + name
    return text


def queried(names: tuple[str, ...]) -> str:
    """The same path as a query of the server names it: arrays are passed through (``items.sku``)."""
    return ".".join(name for name in names if name != "[]")
