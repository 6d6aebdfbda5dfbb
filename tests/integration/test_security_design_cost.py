"""What row security costs is measured on the design itself, and every variant gives the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.areas.security.design.cost import DESIGN, NO_ROW_SECURITY, ShapeCost, row_security_cost
from workbench.areas.security.trial.model import Place
from workbench.catalog.model import Catalog
from workbench.engines.postgres import private_cluster
from workbench.errors import BadInput


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A cluster with a deployer; the measurement makes its own database."""
    with private_cluster() as (server, cluster):
        with server.session() as conn:
            conn.execute("create role deployer login createrole")
        yield Place(
            server=server,
            base="postgres",
            deployer="deployer",
            catalog=Catalog("postgres", "PostgreSQL", server.version),
            log=Path(cluster.log),
            data=cluster.data,
            rows_from="none",
            title="none",
        )


@pytest.fixture(scope="module")
def costs(place: Place) -> tuple[ShapeCost, ...]:
    return row_security_cost(place, rows=20_000, runs=1)


def test_every_variant_gives_the_same_answer(costs: tuple[ShapeCost, ...]) -> None:
    """What is compared is the cost of the same rows."""
    shapes = {each.shape for each in costs}
    assert len(shapes) == 5
    for shape in shapes:
        found = {each.variant: each.value for each in costs if each.shape == shape}
        assert {NO_ROW_SECURITY, DESIGN} <= set(found)
        assert len(set(found.values())) == 1, shape
        assert min(found.values()) > 0


def test_own_rows_through_a_parent_are_found_by_index(costs: tuple[ShapeCost, ...]) -> None:
    """The design's policy is a list made once and looked up; an exists a row reads the whole table."""
    plans = {each.variant: each.plan for each in costs if each.shape == "own rows through the parent"}

    assert not plans[DESIGN].scans_sequentially("measured.items")
    assert plans["exists a row"].scans_sequentially("measured.items")


def test_nothing_of_the_measurement_is_left(place: Place, costs: tuple[ShapeCost, ...]) -> None:
    """Its roles and its database are gone."""
    with place.server.session() as conn:
        roles = conn.execute(
            "select rolname from pg_catalog.pg_roles where rolname like 'measured%'"
        ).fetchall()
        databases = conn.execute("select from pg_catalog.pg_database where datname like 'wb_row%'").fetchall()

    assert roles == databases == []


def test_too_few_rows_are_refused(place: Place) -> None:
    """A handful of rows says nothing of cost."""
    with pytest.raises(BadInput, match="1,000 rows or more"):
        row_security_cost(place, rows=10)
