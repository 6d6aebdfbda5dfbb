"""MongoDB: the embedded server, an installed or downloaded one, one by URL, and private replica sets.

with mongo_engine() as server, server.scratch_database() as database:
    database.orders.insert_one({"total": 1})
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from workbench.engines.mongo_binaries import OLDEST_SUPPORTED, Mongod, default_mongod
from workbench.engines.mongo_cluster import MongoCluster, private_mongod, shared_mongod
from workbench.engines.mongo_server import FEATURES, Client, Document, MongoServer, remote_server

__all__ = [
    "FEATURES",
    "OLDEST_SUPPORTED",
    "Client",
    "Document",
    "MongoCluster",
    "MongoServer",
    "Mongod",
    "default_mongod",
    "mongo_engine",
    "private_mongod",
    "shared_mongod",
]


@contextlib.contextmanager
def mongo_engine() -> Iterator[MongoServer]:
    """The MongoDB that proves claims: WORKBENCH_MONGODB_URL, else the shared server, started on demand.

    Raises FeatureUnavailable with the one command that helps where there is no server here, and
    EngineError where what was named cannot be used.
    """
    if url := os.environ.get("WORKBENCH_MONGODB_URL"):
        yield remote_server(url)
        return
    with shared_mongod().used() as server:
        yield server
