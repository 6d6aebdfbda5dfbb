"""The hunt on the example's design: its labels keep personal values out of the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from workbench import sql
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.intent.reading import read_intent
from workbench.areas.security.leaks import Hunt
from workbench.areas.security.leaks.design import design_hunt
from workbench.areas.security.trial import Place, security_place
from workbench.engines.postgres import Server
from workbench.source import Options, open_source


@pytest.fixture(scope="module")
def place(server: Server) -> Iterator[Place]:
    with open_source("ecommerce", server, Options(scale=0.01)) as opened, security_place(opened) as made:
        yield made


@pytest.fixture(scope="module")
def intent(place: Place) -> Intent:
    return read_intent(sql.path("security/intents/ecommerce.yaml"), place.catalog)


@pytest.fixture(scope="module")
def found(place: Place, intent: Intent) -> Hunt:
    return design_hunt(place, intent)


def test_no_labelled_value_is_in_the_trail(found: Hunt):
    """Neither before nor after it was changed; values of columns without a label are there."""
    of_labels = {
        each.marker for each in found.sightings if each.planted == "in a column that its label hides"
    }
    kept = {each.marker for each in found.sightings if each.planted == "in a column without a label"}

    assert found.leaks == () and found.missing_controls == ()
    assert {"shop.users.email", "shop.user_profiles.phone", "shop.addresses.postal_code"} <= of_labels
    assert {"shop.products.product_name", "shop.categories.slug"} <= kept
    assert found.proved


def test_the_key_of_the_tokens_is_in_no_book_of_the_server(found: Hunt):
    """Installed by COPY it is in no log and no statistics, where one in a statement is; its table has it."""
    of_key = [each for each in found.sightings if each.marker.startswith("token key")]

    assert len(of_key) == 15 and not any(each.found for each in of_key)
    assert {each.place for each in found.sightings if each.marker == "spoken key" and each.found} == {
        "server log",
        "pg_stat_statements",
        "pg_stat_activity",
        "settings",
    }
    assert found.left_out[-1].endswith("it is in dump, heap files, write-ahead log")
    assert "shop.user_profiles.date_of_birth: takes no marker" in found.left_out[0]


def test_a_value_that_is_to_be_kept_is_seen_as_such(place: Place, intent: Intent):
    """With the labels taken off the same columns are controls, and their values are found."""
    unlabelled = replace(intent, labels=())

    found = design_hunt(place, unlabelled)

    assert {"shop.users.email", "shop.user_profiles.phone"} <= {
        each.marker for each in found.sightings if each.place == "audit trail" and each.found
    }
    assert found.missing_controls == ()


def test_an_intent_without_an_audit_is_refused(place: Place, intent: Intent):
    """There would be nothing to hunt in."""
    from workbench.errors import BadInput

    with pytest.raises(BadInput, match="has no audit"):
        design_hunt(place, replace(intent, audit=None))
