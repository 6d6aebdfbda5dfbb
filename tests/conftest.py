"""Fixtures on the real engines; no test needs anything else to be installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pymongo.database import Database

from workbench.engines.mongo import Document, MongoServer, mongo_engine
from workbench.engines.postgres import Connection, Server, engine


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The shared engine, held for the whole run."""
    with engine() as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    """The name of an empty scratch database."""
    with server.scratch_database(label="test") as name:
        yield name


@pytest.fixture
def pg(server: Server, database: str) -> Iterator[Connection]:
    """An autocommit connection of the superuser to an empty scratch database."""
    with server.session(database) as conn:
        yield conn


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    """The shared MongoDB, held for the whole run."""
    with mongo_engine() as running:
        yield running


@pytest.fixture
def mongo(mongo_server: MongoServer) -> Iterator[Database[Document]]:
    """An empty scratch database of the administrator."""
    with mongo_server.scratch_database(label="test") as database:
        yield database
