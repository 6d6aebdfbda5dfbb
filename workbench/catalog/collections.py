"""A database of collections as plain, frozen facts: what is declared, and what the server counted.

Read from a live server by `catalog.reflect_collections`, from the metadata of a dump by
`documents.dumps`. A figure that is not known is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Topology = Literal["primary", "secondary", "mongos", "standalone", "files"]
CollectionKind = Literal["collection", "view", "time series"]


@dataclass(frozen=True)
class CollectionIndex:
    """An index. *key* is in its order: a path and 1, -1, ``text``, ``2dsphere``, ``hashed`` …

    *accesses* counts the operations that used it since *accesses_since*, on all members of the replica set;
    where one could not be asked, an index that the others did not use has None.
    """

    name: str
    key: tuple[tuple[str, int | str], ...]
    unique: bool = False
    sparse: bool = False
    hidden: bool = False
    partial_filter: Mapping[str, Any] | None = None
    expire_after_s: float | None = None
    collation: Mapping[str, Any] | None = None
    size_bytes: int | None = None
    accesses: int | None = None
    accesses_since: datetime | None = None
    options: Mapping[str, Any] = field(default_factory=dict)  # the rest, such as wildcardProjection

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for path, _ in self.key)


@dataclass(frozen=True)
class Collection:
    """A collection, a view or a time series; sizes in bytes, before (*size*) and after compression."""

    name: str
    kind: CollectionKind = "collection"
    capped: bool = False
    documents: int | None = None
    size_bytes: int | None = None
    storage_bytes: int | None = None
    validator: Mapping[str, Any] | None = None
    validation_level: str = ""
    validation_action: str = ""
    time_series: Mapping[str, Any] | None = None  # timeField, metaField, granularity
    expire_after_s: float | None = None  # of a time series or a clustered collection
    collation: Mapping[str, Any] | None = None
    clustered: bool = False
    view_on: str = ""
    pipeline: tuple[Mapping[str, Any], ...] = ()
    shard_key: tuple[tuple[str, int | str], ...] = ()
    indexes: tuple[CollectionIndex, ...] = ()

    @property
    def mean_document_bytes(self) -> float | None:
        if not self.documents or self.size_bytes is None:
            return None
        return self.size_bytes / self.documents


@dataclass(frozen=True)
class Operation:
    """A shape of operation that was observed or declared: values are left out of *filter* but for their kind.

    *filter* is a query document; *sort* is in its order. *per_hour* is its frequency where known,
    *count* how often it was observed. *mean_ms* and what was examined and returned are means of one
    execution.
    """

    collection: str
    kind: Literal["find", "aggregate", "update", "delete", "count", "distinct", "insert"]
    filter: Mapping[str, Any] = field(default_factory=dict)
    sort: tuple[tuple[str, int], ...] = ()
    projection: Mapping[str, Any] | None = None
    limit: int = 0
    collation: Mapping[str, Any] | None = None
    pipeline: tuple[Mapping[str, Any], ...] = ()
    count: int = 0
    per_hour: float | None = None
    mean_ms: float | None = None
    keys_examined: int | None = None
    documents_examined: int | None = None
    returned: int | None = None
    plan: str = ""
    origin: str = ""  # profiler, workload file


@dataclass(frozen=True)
class CollectionCatalog:
    """A database of collections. *server* is its description, such as ``MongoDB 6.0.5``."""

    database: str
    server: str
    topology: Topology
    collections: tuple[Collection, ...]
    operations: tuple[Operation, ...] = ()
    left_out: tuple[str, ...] = ()  # what could not be read, and why, a line each

    def collection(self, name: str) -> Collection:
        """The collection *name*. Raises KeyError."""
        for each in self.collections:
            if each.name == name:
                return each
        raise KeyError(name)
