"""PostgreSQL: the embedded server, an installed one, one by URL, and private clusters.

with engine() as server, server.scratch_database() as name, server.session(name) as conn:
    conn.execute("create table t (id int primary key)")
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import psycopg2
import psycopg2.extensions

from workbench.engines.binaries import Binaries, default_binaries, embedded_binaries, installed_binaries
from workbench.engines.cluster import SCRATCH_SETTINGS, Cluster, private_cluster, shared_cluster
from workbench.engines.server import (
    OLDEST_SUPPORTED,
    SUPERUSER,
    Connection,
    Server,
    describe_version,
    require_supported,
)
from workbench.errors import EngineError

__all__ = [
    "OLDEST_SUPPORTED",
    "SCRATCH_SETTINGS",
    "SUPERUSER",
    "Binaries",
    "Cluster",
    "Connection",
    "Server",
    "default_binaries",
    "describe_version",
    "embedded_binaries",
    "engine",
    "installed_binaries",
    "private_cluster",
    "require_supported",
    "shared_cluster",
]


@contextlib.contextmanager
def engine() -> Iterator[Server]:
    """The PostgreSQL that proves claims: WORKBENCH_POSTGRES_URL, else the shared cluster, started on demand.

    Raises EngineError where none can be had.
    """
    if url := os.environ.get("WORKBENCH_POSTGRES_URL"):
        yield _remote(url)
        return
    with shared_cluster().used() as server:
        yield server


def _remote(url: str) -> Server:
    try:
        parts = psycopg2.extensions.parse_dsn(url)
    except psycopg2.ProgrammingError as exc:
        raise EngineError(
            "WORKBENCH_POSTGRES_URL is not a postgresql:// URL: write postgresql://user@host:port/database"
        ) from exc
    known = {"host", "port", "user", "password", "dbname"}
    server = Server(
        host=parts.get("host", "localhost"),
        port=int(parts.get("port", 5432)),
        user=parts.get("user", ""),
        password=parts.get("password"),
        label="remote",
        binaries=default_binaries(),
        options={name: value for name, value in parts.items() if name not in known},
        maintenance_database=parts.get("dbname", "postgres"),
    )
    with server.session() as conn:
        require_supported(conn, "WORKBENCH_POSTGRES_URL")
    return server
