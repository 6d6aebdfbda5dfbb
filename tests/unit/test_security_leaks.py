"""What the leak hunt recognises, without a server."""

from __future__ import annotations

import base64
import html
import json
import os
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from workbench.areas.security.leaks import Marker, hunt
from workbench.areas.security.leaks.encodings import encodings
from workbench.areas.security.leaks.postgres import without_page_headers
from workbench.errors import BadInput, FeatureUnavailable

WORD = "größe 'x' \"y\" <b> \\z"


def seen(secret: bytes, content: bytes) -> bool:
    return any(form in content for form in encodings(secret))


@pytest.mark.parametrize(
    "written",
    [
        WORD.encode(),
        WORD.encode("utf-16-le"),
        WORD.encode("utf-16-be"),
        WORD.encode("latin-1"),
        WORD.encode().hex().encode(),
        WORD.encode().hex().upper().encode(),
        base64.b64encode(WORD.encode()),
        base64.b64encode(b"x" + WORD.encode() + b"yy"),
        base64.urlsafe_b64encode(b"xx" + WORD.encode() + b"y"),
        json.dumps({"a": WORD}).encode(),
        json.dumps({"a": WORD}, ensure_ascii=False).encode(),
        json.dumps({"a": json.dumps(WORD)}).encode(),
        html.escape(WORD).encode(),
        quote(WORD).encode(),
        ("'" + WORD.replace("'", "''") + "'").encode(),
        repr(WORD.encode()).encode(),
    ],
)
def test_a_secret_is_seen_however_it_is_written(written: bytes):
    """In every encoding that a dump, a log, a report or a page uses."""
    assert seen(WORD.encode(), b"before " + written + b" after")


def test_a_key_is_seen_in_bytes_hex_and_base64():
    """Bytes that are no text have no text forms, and are found all the same."""
    key = b"\xff" + os.urandom(31)

    assert seen(key, b"\x00" + key + b"\x00")
    assert seen(key, b"\\x" + key.hex().encode())
    assert seen(key, base64.b64encode(b"abcd" + key + b"efg"))
    assert not seen(key, os.urandom(1_000_000))


def test_a_run_of_letters_survives_any_escaping():
    """What was escaped three times over is still seen by its longest run of letters and digits."""
    word = "it's 0123456789abcdef0123"
    escaped = json.dumps(json.dumps(json.dumps(word.replace("'", "''"))))

    assert seen(word.encode(), escaped.encode())
    assert not seen(b"short runs-of-a few letters", b"short runs of a few letters")


def test_a_secret_across_two_pages_of_the_log_is_seen():
    """The page header between its halves is taken out."""
    page = 8192
    first, second = bytearray(page), bytearray(page)
    first[-8:], second[24:32] = b"01234567", b"89abcdef"

    assert b"0123456789abcdef" in without_page_headers(bytes(first + second))


def test_a_hunt_tells_leaks_missing_controls_and_places_without_one():
    """Four places: one with the control, one with a leak, one empty, one that this engine lacks."""
    secret, control = (
        Marker("s", b"secret-00000001", "sealed"),
        Marker("c", b"control-0000001", "clear", frozenset({"a", "b"})),
    )

    def lacking() -> Iterator[tuple[str, bytes]]:
        raise FeatureUnavailable("it", "this engine", hint="install it")
        yield

    found = hunt(
        {
            "a": lambda: iter([("x", b"... control-0000001 ...")]),
            "b": lambda: iter([("y", b"nothing"), ("z", b"... secret-00000001")]),
            "c": lambda: iter([]),
            "d": lacking,
        },
        [secret, control],
        engine="none",
    )

    assert [(each.place, each.where, each.encoding) for each in found.leaks] == [("b", "z", "as it is")]
    assert [each.place for each in found.missing_controls] == ["b"]
    assert found.uncontrolled == ("c",)
    assert found.left_out == ("d: it is not available on this engine: install it",)
    assert not found.proved


def test_a_hunt_of_what_is_clean_and_controlled_proves_it():
    """The near miss: the control is seen, the secret is not."""
    secret, control = (
        Marker("s", b"secret-00000001", "sealed"),
        Marker("c", b"control-0000001", "clear", frozenset({"a"})),
    )

    assert hunt({"a": lambda: iter([("x", b"control-0000001 secret-00000002")])}, [secret, control]).proved


def test_markers_that_cannot_be_hunted_are_refused():
    """Too short, or two of one name."""
    with pytest.raises(BadInput, match="by chance"):
        Marker("s", b"1234567", "sealed")
    with pytest.raises(BadInput, match="same name"):
        hunt({}, [Marker("s", b"12345678", ""), Marker("s", b"87654321", "")])
