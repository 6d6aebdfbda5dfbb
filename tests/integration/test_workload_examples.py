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
