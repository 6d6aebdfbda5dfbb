"""The leak hunt on a server that logs everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.areas.security.leaks import Hunt, Marker, PostgresGround, hunt, hunt_run, hunting_ground


@pytest.fixture(scope="module")
def ground() -> Iterator[PostgresGround]:
    with hunting_ground() as found:
        yield found


@pytest.fixture(scope="module")
def whole() -> Hunt:
    return hunt_run()


def test_what_is_planted_in_clear_is_found_in_every_place(whole: Hunt):
    """Thirteen places, each with a control in it: where none is found, its hunt would prove nothing."""
    assert whole.missing_controls == ()
    assert whole.uncontrolled == ()
    assert whole.left_out == ()
    assert set(whole.searched_bytes) == {
        "dump",
        "roles",
        "write-ahead log",
        "heap files",
        "index files",
        "statistics",
        "server log",
        "pg_stat_statements",
        "pg_stat_activity",
        "settings",
        "audit trail",
        "temporary files",
        "report",
    }
    assert all(whole.searched_bytes.values())


def test_what_is_sealed_is_found_nowhere(whole: Hunt):
    """Value, password, data keys, the index's key, wrapping keys: in no place, in no encoding."""
    secrets = {each.marker for each in whole.sightings if not each.expected}

    assert whole.leaks == ()
    assert {"sealed value", "password", "index key", "data key 1", "data key 3", "wrapping key 2"} <= secrets
    assert whole.proved


def test_the_sealed_work_passed_through_the_places(whole: Hunt):
    """Its ciphertext is in dump, log, statistics, audit trail and files: the hunt looked where it went."""
    places = {each.place for each in whole.sightings if each.marker == "ciphertext" and each.found}

    assert places == {
        "dump",
        "write-ahead log",
        "heap files",
        "statistics",
        "server log",
        "audit trail",
        "temporary files",
    }


def test_a_hunt_on_a_ground_without_a_trail_says_so(ground: PostgresGround, tmp_path: Path):
    """A place that is not there is left out by name, and a report's folder is searched to its depth."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.bin").write_bytes(b"\x00" * 20_000_000 + b"marker-0123456789" + b"\x00")
    found = hunt(
        PostgresGround(ground.server, ground.database, ground.data, ground.log, tmp_path).places(),
        [Marker("m", b"marker-0123456789", "in a file")],
    )

    assert {(each.place, each.where) for each in found.leaks} == {("report", "a/b/x.bin")}
    assert [line.partition(":")[0] for line in found.left_out] == ["pg_stat_statements", "audit trail"]
