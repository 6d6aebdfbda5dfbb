"""The stored format, the binding to a row, key files: what needs no server."""

from __future__ import annotations

import datetime
import os
import threading
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from workbench.areas.security.encryption import KeyFileRefused, KeyUnavailable, ValueRefused
from workbench.areas.security.encryption import stored as form
from workbench.areas.security.encryption.blind_index import FORMS
from workbench.areas.security.encryption.keys import OpenKey, key_id_of, new_key
from workbench.areas.security.encryption.places import column_bytes, row_bytes
from workbench.areas.security.encryption.providers import LocalFile
from workbench.errors import BadInput

CONTEXT = {"purpose": "values", "identity": ""}


def test_columns_whose_names_join_to_the_same_text_differ():
    """No two columns have the same associated data, wherever the dots, quotes or lengths fall."""
    names = [("a", "b.c", "d"), ("a.b", "c", "d"), ("a", "b", "c.d"), ("", "a.b.c", "d"), ("a", "b", "cd")]

    assert len({column_bytes(*each) for each in names}) == len(names)


def test_keys_of_several_columns_differ_wherever_they_are_cut():
    """('ab','c') and ('a','bc') are two rows; so are a key of one value and of two."""
    keys = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc")]

    assert len({row_bytes(each) for each in keys}) == len(keys)


def test_a_key_has_one_form_whatever_the_driver_gives():
    """A uuid as text or UUID, a number as int or Decimal, a time in any zone, bytes or a view of them."""
    uuid = UUID("8f14e45f-ceea-467f-a1d2-0c5f6e1b2a3c")
    noon = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
    east = noon.astimezone(datetime.timezone(datetime.timedelta(hours=5)))

    assert row_bytes(uuid) == row_bytes(str(uuid)) == row_bytes((uuid,))
    assert row_bytes(120) == row_bytes(Decimal("120")) == row_bytes((Decimal("120.00"),)) == row_bytes("120")
    assert row_bytes(noon) == row_bytes(east)
    assert row_bytes(b"\x01") == row_bytes(memoryview(b"\x01"))


@pytest.mark.parametrize("key", [None, 1.5, True, (), (1, None), Decimal("NaN"), ["a"]])
def test_what_is_no_key_is_refused(key):
    """Null, floats, booleans and no value at all cannot name a row."""
    with pytest.raises(BadInput):
        row_bytes(key)


@pytest.mark.parametrize("plain", [b"", b"a", b"\x80", b"a\x80\x00", b"x" * 15, b"x" * 16, b"x" * 17])
def test_padding_gives_back_what_it_got(plain):
    """Any bytes survive, those that look like padding too; the length is a multiple of the block."""
    padded = form.pad(plain, 16)

    assert form.unpad(padded) == plain
    assert len(padded) % 16 == 0 and len(padded) > len(plain)


@pytest.mark.parametrize(
    "junk", [b"", b"123-45-6789", b"\x00" * 70, b"\x02\x00" + b"x" * 70, b"\x01\x02" + b"x" * 70]
)
def test_what_is_no_stored_value_is_refused(junk):
    """Plaintext left in the column, a later version, unknown flags: each named, none decrypted."""
    with pytest.raises(ValueRefused):
        form.take_apart(junk)


def test_a_key_id_commits_to_key_purpose_and_identity():
    """Another key, purpose or identity has another id, and an id says nothing of the key."""
    key = new_key()
    ids = {
        key_id_of(key, "values", ""),
        key_id_of(key, "index", ""),
        key_id_of(key, "values", "ann"),
        key_id_of(new_key(), "values", ""),
    }

    assert len(ids) == 4
    assert all(len(each) == 32 and key not in each for each in ids)


def test_an_open_key_shows_and_pickles_nothing():
    """Neither repr nor pickle gives the key away."""
    import pickle

    key = new_key()
    opened = OpenKey(key, key_id_of(key, "values", ""), 0.0)

    assert key.hex() not in repr(opened) and repr(key) not in repr(opened)
    with pytest.raises(TypeError):
        pickle.dumps(opened)


def test_forms_of_a_blind_index():
    """What counts as equal, and what does not."""
    assert FORMS["folded"](" \uff21NN@Example.org ") == FORMS["folded"]("ann@example.org")
    assert FORMS["folded"]("STRASSE") == FORMS["folded"]("straße")
    assert FORMS["exact"]("Ann") != FORMS["exact"]("ann")
    assert FORMS["alphanumeric"]("123-45-6789") == FORMS["alphanumeric"]("123 45 6789")
    assert FORMS["folded"]("123-45-6789") != FORMS["folded"]("123 45 6789")


def test_a_key_file_is_made_for_its_owner_alone(tmp_path: Path):
    """Mode 0600, whatever the umask, and no unfinished file beside it."""
    before = os.umask(0)
    try:
        LocalFile(tmp_path / "keys.json")
    finally:
        os.umask(before)

    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path, mode: int):
    """Any right of group or others, and the message says the mode and what to do."""
    provider = LocalFile(tmp_path / "keys.json")
    provider.path.chmod(mode)

    with pytest.raises(KeyFileRefused, match=f"{mode:04o}.*chmod 600"):
        provider.generate(CONTEXT)


def test_a_key_file_behind_a_link_or_damaged_is_refused(tmp_path: Path):
    """A symbolic link, cut-off JSON, JSON of something else, and a folder."""
    LocalFile(tmp_path / "keys.json")
    (tmp_path / "link.json").symlink_to(tmp_path / "keys.json")
    for name, text in [
        ("cut.json", '{"version": 1'),
        ("other.json", "[]"),
        ("short.json", '{"version": 1, "current": "a", "keys": {"a": "AAAA"}}'),
    ]:
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)

    for name in ("link.json", "cut.json", "other.json", "short.json", "."):
        with pytest.raises(KeyFileRefused):
            LocalFile(tmp_path / name)
    with pytest.raises(KeyFileRefused, match="cannot be read"):
        LocalFile(tmp_path / "absent.json", create=False)


def test_processes_that_make_a_key_file_at_once_share_one(tmp_path: Path):
    """Nobody's key is replaced by another's: all agree on the file that was first."""
    providers: list[LocalFile] = []
    threads = [
        threading.Thread(target=lambda: providers.append(LocalFile(tmp_path / "keys.json"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(providers) == 8
    assert len({each.key_id for each in providers}) == 1


def test_a_key_wrapped_for_one_context_does_not_open_in_another(tmp_path: Path):
    """The wrapped key of one identity is worth nothing in another's row; nor is one that was changed."""
    provider = LocalFile(tmp_path / "keys.json")
    made = provider.generate(CONTEXT)

    assert provider.unwrap(made.wrapped, CONTEXT) == made.plain
    assert made.plain not in made.wrapped
    with pytest.raises(KeyUnavailable):
        provider.unwrap(made.wrapped, {**CONTEXT, "identity": "ann"})
    with pytest.raises(KeyUnavailable):
        provider.unwrap(made.wrapped[:-1] + bytes([made.wrapped[-1] ^ 1]), CONTEXT)
    assert made.plain.hex() not in repr(made) and repr(made.plain) not in repr(made)


def test_a_destroyed_wrapping_key_unwraps_no_more(tmp_path: Path):
    """After a rotation the former key still unwraps; destroyed, it is gone, and what it wrapped is lost."""
    provider = LocalFile(tmp_path / "keys.json")
    made = provider.generate(CONTEXT)
    former = provider.key_id
    provider.rotate()
    assert provider.unwrap(made.wrapped, CONTEXT) == made.plain

    with pytest.raises(KeyUnavailable, match="in use"):
        provider.destroy(provider.key_id)
    provider.destroy(former)

    with pytest.raises(KeyUnavailable, match="destroyed"):
        provider.unwrap(made.wrapped, CONTEXT)
    assert former not in provider.path.read_text()
