"""Indexes that a collection could do without: served by another one as well, or read by nothing.

Source: MongoDB manual, Compound Indexes, Prefixes; Sort Order; Remove Unnecessary Indexes; $indexStats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.catalog.collections import Collection, CollectionCatalog, CollectionIndex
from workbench.catalog.shapes import Shape
from workbench.documents.indexing.selectivity import Fields

UNUSED_DAYS = 7
WIDER = 4  # times as large: then the narrow index is the faster one to read
WORTH_BYTES = 1024 * 1024


def superfluous_pairs(
    collection: Collection, shape: Shape | None
) -> Iterator[tuple[CollectionIndex, CollectionIndex]]:
    """Each index that another one serves as well, with that one, which is none of those."""
    ordered = sorted(collection.indexes, key=lambda index: (-len(index.key), index.name))
    dropped: set[str] = set()
    for narrow in sorted(collection.indexes, key=_least_wanted):
        covers = [
            wide
            for wide in ordered
            if wide.name not in dropped and covers_as_well(wide, narrow, collection, shape)
        ]
        if covers:
            dropped.add(narrow.name)
            yield narrow, covers[0]


def _least_wanted(index: CollectionIndex) -> tuple[Any, ...]:
    """Of two that serve the same the shorter is dropped, then the one used less, then the descending."""
    ways = tuple(-1 if way == -1 else 0 for _, way in index.key)
    return (len(index.key), index.accesses or 0, ways, index.name)


def covers_as_well(
    wide: CollectionIndex, narrow: CollectionIndex, collection: Collection, shape: Shape | None
) -> bool:
    """Whether *wide* serves whatever *narrow* serves, and *narrow* enforces and removes nothing.

    Not where they differ in collation, filter or sparseness, where the wide one is hidden, where its further
    fields are arrays (it then has several entries a document) or where it is much the larger one.
    """
    if wide.name == narrow.name or narrow.name == "_id_" or narrow.hidden or wide.hidden:
        return False
    if narrow.expire_after_s is not None or not _plain(narrow) or not _plain(wide):
        return False
    if not _begins(wide, narrow) or not _same_entries(wide, narrow, collection):
        return False
    if narrow.unique and not (len(wide.key) == len(narrow.key) and (wide.unique or wide.name == "_id_")):
        return False
    if len(wide.key) == len(narrow.key) and wide.expire_after_s is not None and not narrow.unique:
        return True
    if _shard_key(collection, narrow) and not _plainly_begins(wide, narrow):
        return False
    further = wide.paths[len(narrow.key) :]
    if shape is not None and any(Fields(collection, shape).arrays(path) for path in further):
        return False
    return not _much_larger(wide, narrow)


def _plain(index: CollectionIndex) -> bool:
    return all(way in (1, -1) and "$**" not in path for path, way in index.key)


def _begins(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    """Whether the fields are the first ones of the wide key, all in its direction or all against it."""
    if wide.paths[: len(narrow.key)] != narrow.paths:
        return False
    ways = {int(one) * int(other) for (_, one), (_, other) in zip(wide.key, narrow.key, strict=False)}
    return len(ways) == 1


def _plainly_begins(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    return wide.key[: len(narrow.key)] == narrow.key


def _same_entries(wide: CollectionIndex, narrow: CollectionIndex, collection: Collection) -> bool:
    return (
        _collation(wide, collection) == _collation(narrow, collection)
        and (wide.partial_filter or None) == (narrow.partial_filter or None)
        and wide.sparse == narrow.sparse
        and not (wide.sparse and len(wide.key) > len(narrow.key))
    )


def _collation(index: CollectionIndex, collection: Collection) -> Mapping[str, Any] | None:
    """The collation of an index; locale simple is none, and a collection's own is what its indexes have."""
    chosen = index.collation if index.collation is not None else collection.collation
    if not chosen or chosen.get("locale") == "simple":
        return None
    return {name: value for name, value in chosen.items() if name != "version"}


def _shard_key(collection: Collection, index: CollectionIndex) -> bool:
    return bool(collection.shard_key) and index.key[: len(collection.shard_key)] == collection.shard_key


def _much_larger(wide: CollectionIndex, narrow: CollectionIndex) -> bool:
    if wide.size_bytes is None or narrow.size_bytes is None:
        return False
    return wide.size_bytes >= WORTH_BYTES and wide.size_bytes >= WIDER * narrow.size_bytes


def is_unused(collection: Collection, index: CollectionIndex, now: datetime) -> bool:
    """Whether no operation read *index* in the seven days and more that the servers have counted.

    False for one that enforces or removes (unique, TTL, the shard key's), which works without being read.
    """
    if index.accesses != 0 or index.accesses_since is None or _enforces(collection, index):
        return False
    return now - aware(index.accesses_since) >= timedelta(days=UNUSED_DAYS)


def unused_so_far(catalog: CollectionCatalog, now: datetime) -> list[str]:
    """``collection.index`` of those without an access in statistics that are too young to say more."""
    return [
        f"{collection.name}.{index.name}"
        for collection in catalog.collections
        for index in collection.indexes
        if index.accesses == 0
        and index.accesses_since is not None
        and now - aware(index.accesses_since) < timedelta(days=UNUSED_DAYS)
        and not _enforces(collection, index)
    ]


def _enforces(collection: Collection, index: CollectionIndex) -> bool:
    """Whether *index* is there for something else than reading, or hidden from it already."""
    return (
        index.name == "_id_"
        or index.unique
        or index.hidden
        or index.expire_after_s is not None
        or _shard_key(collection, index)
    )


def aware(when: datetime) -> datetime:
    """*when* with its zone; a time without one is the server's, which is UTC."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)
