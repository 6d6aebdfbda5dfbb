"""The files that docs/workloads.md shows are read as it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.documents.design import patterns_of_sql, read_patterns
from workbench.documents.operations import operations_from_file
from workbench.engines.postgres import Server
from workbench.proof.workload import sample_values, workload_of_files
from workbench.source import Options, open_source

PAGE = Path(__file__).parent.parent.parent / "docs" / "workloads.md"


def block(name: str) -> str:
    """The text of the page's code block *name*."""
    found = re.search(rf"^```\w+ {name}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{PAGE.name} has no block {name}"
    return found[1]


@pytest.fixture(scope="module")
def catalog(server: Server) -> Iterator[Catalog]:
    """The catalog of the example."""
    with open_source("ecommerce", server, Options(scale=0.001)) as opened:
        yield reflect(opened.connection)


def test_operations_of_the_page(tmp_path: Path) -> None:
    """Each operation has its kind, its order and its frequency."""
    path = tmp_path / "operations.json"
    path.write_text(block("operations"))

    found = operations_from_file(path)

    assert [(each.kind, each.per_hour) for each in found] == [
        ("find", 3600),
        ("aggregate", 4),
        ("update", 900),
    ]
    assert found[0].sort == (("createdAt", -1),)


def test_patterns_of_the_page(tmp_path: Path, catalog: Catalog) -> None:
    """Each pattern is understood with what it reads along."""
    path = tmp_path / "patterns.json"
    path.write_text(block("patterns"))

    found = read_patterns(path, catalog)

    assert [(each.kind, each.per_hour) for each in found] == [
        ("read", 1200),
        ("read", 9000),
        ("insert", 60),
        ("update", 2),
    ]
    assert [each.child[1] for each in found[0].relationships] == ["order_items", "order_items"]
    assert found[1].include[0].newest == 20


def test_workload_of_the_page(tmp_path: Path, catalog: Catalog) -> None:
    """Each statement is a pattern with its name and its frequency."""
    path = tmp_path / "workload.sql"
    path.write_text(block("workload"))

    found = patterns_of_sql(path, catalog)

    assert [(each.name, each.per_hour) for each in found.patterns] == [
        ("order with its lines", 1200),
        ("a user's latest orders", 9000),
    ]
    assert not found.unmapped


def test_workload_for_indexes_of_the_page(tmp_path: Path, server: Server) -> None:
    """Each statement has its weight and its values, and the database understands it with them."""
    path = tmp_path / "workload.sql"
    path.write_text(block("indexes"))
    with open_source("ecommerce", server, Options(scale=0.001)) as opened:
        found = workload_of_files(path, opened.connection)
        valued = sample_values(opened.connection, found.statements)

    assert not found.unread
    assert [(each.name, each.weight, each.values) for each in found.statements] == [
        ("orders of a customer", 9000, ("'01857038-8500-70bd-871d-c19c083d82f0'", "20")),
        ("products by price", 300, ("'EUR'", "10", "25.50")),
        ("products by price (2)", 300, ("'USD'", "100", "500")),
        ("address", 1, None),
    ]
    assert valued[3].values is not None
