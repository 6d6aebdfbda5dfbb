"""The shape of a collection's documents, from a stream of BSON: exact counts in bounded memory.

Documents are decoded a few hundred at a time, so that they stay in the processor's cache, whatever the
batches are, and counted path by path (`documents.counting`). What a field holds (formats, lengths of
strings, few values, bytes, extremes) rests on a sample: the first occurrences of each field, fewer where
its values are many, then some of every 32nd chunk.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from struct import Struct
from typing import Any

from bson import decode_all
from bson.errors import InvalidBSON

from workbench.catalog.shapes import Node, NodeKind, Shape, Spread, queried, written
from workbench.documents import folding
from workbench.documents.bson_types import FIXED_BYTES, LENIENT, TELLING
from workbench.documents.counting import Counting, Document, Field, Objects, alias
from workbench.documents.samples import Lengths
from workbench.errors import SourceError

PATH_LIMIT = 10_000
SAMPLE = 2_048
_CHUNK_FIRST = 5 * 1024  # so that keys that are data are told before they are many
_CHUNK_BYTES = 80 * 1024  # their documents fit into a processor's second-level cache
_CHUNK_MOST = 1280 * 1024  # where there are so many paths that few objects of each are in a chunk
_FEW_AT_ONCE = 24  # values of a column on average
_LEAST_BYTES = 5  # of a document: its length and the closing zero
_length_at = Struct("<i").unpack_from


class CorruptDocument(SourceError):
    """BSON that cannot be read: in which *collection*, at which byte, in which document from 1."""

    def __init__(self, collection: str, number: int, offset: int, reason: str) -> None:
        self.collection = collection
        self.number = number
        self.offset = offset
        super().__init__(
            f"collection {collection!r}: document {number:,} at byte {offset:,} is not valid BSON: {reason}; "
            "repair it at the source (validate with full: true) or leave it out of the dump"
        )


def infer(
    collection: str,
    batches: Iterable[bytes],
    *,
    of: int | None = None,
    full: bool = True,
    path_limit: int = PATH_LIMIT,
    sample: int = SAMPLE,
    seed: int = 1,
) -> Shape:
    """The shape of the documents in *batches*, each of whole BSON documents one after the other.

    *of* is how many documents the collection has, *full* whether all of them are in *batches*. Counts of
    fields and types are exact up to *path_limit* field paths; above, rare fields that are alike are taken
    together, or new paths are counted as one. The first *sample* values of every field are looked into
    while they are texts and few different ones, a quarter of them otherwise. A name that a document holds
    twice counts once, with its last value; ``undefined`` cannot be told from null, ``symbol`` from a
    string, ``dbPointer`` from a reference. Raises CorruptDocument.
    """
    counting = Counting(sample=sample, seed=seed)
    sizes = Lengths()
    limits: list[str] = []
    least = [_CHUNK_FIRST]
    with _without_collector():
        for chunk in _chunks(collection, batches, lambda: least[0]):
            paths = counting.paths
            counting.add(chunk.documents)
            if least[0] < _CHUNK_BYTES or (
                counting.at_once < _FEW_AT_ONCE and counting.paths <= 1.1 * paths and least[0] < _CHUNK_MOST
            ):
                least[0] *= 2
            sizes.add(chunk.sizes)
            chunk.documents.clear()
            _fold_early(counting)
            if counting.paths > path_limit and not counting.full:
                limits += _fold_for_room(counting, path_limit)
    folding.fold_all(counting, lambda objects, top: folding.keys_that_are_data(objects, top=top))
    root = _Built(counting.root).root
    return Shape(
        collection=collection,
        documents=counting.root.count,
        of=of,
        full=full,
        root=root,
        size_bytes=sizes.total,
        sizes=sizes.spread() or Spread(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0),
        paths=folding.count_paths(counting.root),
        limit_reached="; ".join(dict.fromkeys(limits)),
    )


def shape_as_dict(shape: Shape) -> dict[str, Any]:
    """*shape* as plain data for JSON: a row a field path, with the exact counts by type."""
    return {
        "collection": shape.collection,
        "documents": shape.documents,
        "of": shape.of,
        "full": shape.full,
        "size_bytes": shape.size_bytes,
        "mean_document_bytes": round(shape.sizes.mean, 1),
        "largest_document_bytes": shape.sizes.maximum,
        "paths": shape.paths,
        "limit_reached": shape.limit_reached,
        "fields": [_row(names, node) for names, node in shape.walk()],
    }


def _row(names: tuple[str, ...], node: Node) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": written(names),
        "names": list(names),
        "query_path": queried(names),
        "kind": node.kind,
        "count": node.count,
        "parents": node.parents,
        "share": round(node.share, 6),
        "types": dict(node.types),
        "mean_bytes": round(node.mean_bytes, 1),
    }
    optional: dict[str, Any] = {
        "array_lengths": _spread(node.lengths),
        "string_lengths": _spread(node.string_lengths),
        "formats": dict(node.formats),
        "strings_tested": node.tested,
        "different_keys": node.keys,
    }
    return row | {name: value for name, value in optional.items() if value}


def _spread(spread: Spread | None) -> dict[str, Any] | None:
    if spread is None:
        return None
    return {
        "count": spread.count,
        "minimum": spread.minimum,
        "median": spread.median,
        "mean": round(spread.mean, 2),
        "p95": spread.p95,
        "p99": spread.p99,
        "maximum": spread.maximum,
        "sampled": spread.sampled,
    }


# reading


class _Chunk:
    """Some documents that follow each other, decoded, their sizes in bytes, and these together."""

    __slots__ = ("documents", "size", "sizes")

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.sizes: list[int] = []
        self.size = 0


def _chunks(collection: str, batches: Iterable[bytes], least: Callable[[], int]) -> Iterator[_Chunk]:
    """The documents of *batches* in chunks of *least* bytes at least, but for the last."""
    read_bytes = read_documents = 0
    chunk = _Chunk()
    for batch in batches:
        view = memoryview(batch)
        at, end = 0, len(view)
        while at < end:
            start = at
            sizes: list[int] = []
            stop = min(at + max(1, least() - chunk.size), end)
            while at < stop:
                size = _length_at(view, at)[0] if end - at >= _LEAST_BYTES else 0
                if size < _LEAST_BYTES or size > end - at:
                    raise CorruptDocument(
                        collection,
                        read_documents + len(sizes) + 1,
                        read_bytes + at,
                        _wrong_length(size, end - at),
                    )
                sizes.append(size)
                at += size
            chunk.documents += _decoded(collection, view[start:at], sizes, read_documents, read_bytes + start)
            chunk.sizes += sizes
            chunk.size += at - start
            read_documents += len(sizes)
            if chunk.size >= least():
                yield chunk
                chunk = _Chunk()
        read_bytes += end
    if chunk.documents:
        yield chunk


def _wrong_length(size: int, left: int) -> str:
    if left < _LEAST_BYTES:
        return f"only {left} bytes are left, fewer than the smallest document has"
    return f"it says that it is {size:,} bytes long, and {left:,} are left"


def _decoded(
    collection: str, view: memoryview, sizes: list[int], documents_before: int, bytes_before: int
) -> list[Document]:
    try:
        return decode_all(view, TELLING)
    except (InvalidBSON, RecursionError):
        return list(_decoded_singly(collection, view, sizes, documents_before, bytes_before))


def _decoded_singly(
    collection: str, view: memoryview, sizes: list[int], documents_before: int, bytes_before: int
) -> Iterator[Document]:
    at = 0
    for number, size in enumerate(sizes, start=documents_before + 1):
        try:
            yield decode_all(view[at : at + size], LENIENT)[0]
        except (InvalidBSON, RecursionError) as exc:
            raise CorruptDocument(collection, number, bytes_before + at, _reason(exc)) from exc
        at += size


def _reason(exc: Exception) -> str:
    if "recursion" in str(exc):
        return "it is nested deeper than can be read (MongoDB itself stores up to 180 levels)"
    return str(exc)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without the search for cycles, which decoded documents have none of and which costs a fifth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


# folding


def _fold_early(counting: Counting) -> None:
    """Fold the objects that have grown where their names are written as data."""
    for objects in counting.grown:
        names = folding.keys_that_are_data(objects, top=objects is counting.root, so_far=True)
        if names:
            folding.fold(counting, objects, names)


def _fold_for_room(counting: Counting, path_limit: int) -> list[str]:
    """Take fields together until *path_limit* is kept, else close the list; what was done, in words."""
    folded = folding.fold_all(
        counting, lambda objects, top: folding.keys_that_are_data(objects, top=top)
    ) or folding.fold_all(counting, lambda objects, _: folding.crowded(objects))
    if counting.paths > path_limit:
        counting.full = True
        return [f"more than {path_limit:,} field paths: those found later are counted together, by type only"]
    places = f"{len(folded)} kind{'s' if len(folded) > 1 else ''} of object"
    return [f"more than {path_limit:,} field paths: rare fields of {places} are taken as keys that are data"]


# the facts


class _Built:
    """The nodes of what was counted, built from the leaves up, without recursion: documents may be deep."""

    def __init__(self, root: Objects) -> None:
        self._children: dict[int, tuple[Node, ...]] = {}
        for objects in reversed(folding.all_objects(root)):
            self._children[id(objects)] = tuple(self._nodes(objects))
        children = self._children[id(root)]
        self.root = Node(
            name="",
            kind="document",
            count=root.count,
            parents=root.count,
            types={"object": root.count} if root.count else {},
            children=children,
            mean_bytes=_objects_bytes(children, root.count),
        )

    def _nodes(self, objects: Objects) -> Iterator[Node]:
        for name, found in objects.fields.items():
            yield self._node(name, "field", found, objects.count)
        if objects.key is not None:
            yield self._node("*", "key", objects.key, objects.count, keys=len(objects.keys_seen))

    def _node(self, name: str, kind: NodeKind, found: Field, parents: int, *, keys: int = 0) -> Node:
        chain = [found]  # an array of arrays of arrays …
        while chain[-1].arrays is not None:
            chain.append(chain[-1].arrays.elements)
        node: Node | None = None
        for depth in range(len(chain) - 1, -1, -1):
            field = chain[depth]
            inner = depth > 0
            above = chain[depth - 1].arrays if inner else None
            node = self._one(
                "[]" if inner else name,
                "element" if inner else kind,
                field,
                above.lengths.count if above else parents,
                node,
                name_bytes=_index_bytes(above.lengths) if above else float(len(name.encode())),
                keys=0 if inner else keys,
            )
        assert node is not None
        return node

    def _one(
        self,
        name: str,
        kind: NodeKind,
        found: Field,
        parents: int,
        element: Node | None,
        *,
        name_bytes: float,
        keys: int,
    ) -> Node:
        types: dict[str, int] = {}
        for each, times in found.types.most_common():
            if times:
                types[alias(each)] = types.get(alias(each), 0) + times
        count = sum(types.values())
        children = self._children.get(id(found.objects), ())
        parts = children if element is None or not element.count else (*children, element)
        values = found.values
        values.settle()
        minimum, maximum = values.extreme_values()
        return Node(
            name=name,
            kind=kind,
            count=count,
            parents=parents,
            types=types,
            children=parts,
            lengths=found.arrays.lengths.spread() if found.arrays else None,
            string_lengths=values.strings,
            mean_bytes=_mean_bytes(found, types, children, element, name_bytes),
            formats=dict(sorted(values.formats.items(), key=lambda each: -each[1])),
            tested=values.tested,
            values=values.few_values(),
            distinct_in_sample=len(values.distinct),
            sampled=values.sampled,
            minimum=minimum,
            maximum=maximum,
            keys=keys,
        )


def _objects_bytes(children: tuple[Node, ...], count: int) -> float:
    """The mean size of *count* objects with *children*."""
    return 5 + sum(child.mean_bytes * child.count for child in children) / count if count else 0.0


def _index_bytes(lengths: Lengths) -> float:
    """The mean size of an element's name, which is its place in the array, from the sample of lengths."""
    elements = sum(lengths.kept)
    return sum(map(_digits_below, lengths.kept)) / elements if elements else 1.0


def _digits_below(length: int) -> int:
    """How many digits the places 0 to *length* - 1 have together."""
    digits, first, total = 1, 0, 0
    while first < length:
        beyond = int("1" + "0" * digits)
        total += digits * (min(length, beyond) - first)
        digits, first = digits + 1, beyond
    return total


def _mean_bytes(
    found: Field,
    types: Mapping[str, int],
    children: tuple[Node, ...],
    element: Node | None,
    name_bytes: float,
) -> float:
    """The mean size of an occurrence, with its type byte and its name."""
    count = sum(types.values())
    if not count:
        return 0.0
    total = 0.0
    for each, times in types.items():
        if each == "object":
            total += times * _objects_bytes(children, found.objects.count if found.objects else 0)
        elif each == "array":
            total += 5 * times + (element.mean_bytes * element.count if element else 0.0)
        elif each in FIXED_BYTES:
            total += times * FIXED_BYTES[each]
        else:
            sampled, size = found.values.sizes.get(each, (0, 0))
            total += times * (size / sampled if sampled else _LEAST_BYTES)
    return total / count + name_bytes + 2
