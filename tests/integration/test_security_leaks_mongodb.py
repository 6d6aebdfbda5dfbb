"""The leak hunt in MongoDB: documents, files, journal, oplog, log and profiler."""

from __future__ import annotations

import pytest

from workbench.areas.security.leaks import Hunt
from workbench.areas.security.leaks.mongodb import mongo_hunt_run


@pytest.fixture(scope="module")
def whole() -> Hunt:
    return mongo_hunt_run()


def test_what_is_in_clear_is_found_in_every_place_of_mongodb(whole: Hunt):
    """Seven places, each with its control."""
    assert whole.missing_controls == ()
    assert whole.uncontrolled == () and whole.left_out == ()
    assert set(whole.searched_bytes) == {
        "documents",
        "profiler",
        "oplog",
        "collection files",
        "index files",
        "journal",
        "server log",
    }


def test_what_the_client_encrypts_is_found_nowhere_in_mongodb(whole: Hunt):
    """Neither the value nor a master key, though its ciphertext is in six places; the log has ###."""
    assert whole.leaks == ()
    assert {each.marker for each in whole.sightings if not each.expected} == {
        "sealed value",
        "master key 1",
        "master key 2",
    }
    assert len([each for each in whole.sightings if each.marker == "ciphertext" and each.found]) == 6
    assert whole.proved
