"""Fixtures on the real engines; no test needs anything else to be installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
