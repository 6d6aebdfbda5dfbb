"""Values sealed by the application, kept by the server."""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.areas.security.encryption import (
    BlindIndex,
    ColumnCipher,
    Keyring,
    KeyTable,
    KeyUnavailable,
    NonceBudgetSpent,
    ValueRefused,
)
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.encryption.stored import NONCE_BUDGET, OVERHEAD_BYTES, take_apart
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput


@pytest.fixture
def table(server: Server, database: str) -> KeyTable:
    made = KeyTable(lambda: server.session(database))
    made.make()
    made.make()
    return made


@pytest.fixture
def keyring(table: KeyTable, tmp_path: Path) -> Keyring:
    return Keyring(table, LocalFile(tmp_path / "keys.json"))


@pytest.fixture
def cipher(keyring: Keyring) -> ColumnCipher:
    return ColumnCipher(keyring, "shop", "users", "ssn")


def again(keyring: Keyring) -> Keyring:
    """The keyring of another process, which has opened nothing yet."""
    return Keyring(keyring.table, keyring.provider)


@pytest.mark.parametrize("value", ["123-45-6789", "", "ß語🙂", "x" * 100_000, "a\x00b"])
def test_a_value_comes_back(cipher: ColumnCipher, keyring: Keyring, value: str):
    """Any text, the empty one and one with a zero byte too, in another process as well."""
    stored = cipher.encrypt(value, 7)

    assert stored is not None and len(stored) == OVERHEAD_BYTES + len(value.encode())
    assert replace(cipher, keyring=again(keyring)).decrypt(stored, 7) == value


def test_null_stays_null_and_bytes_stay_bytes(cipher: ColumnCipher):
    """Null is no value, and is not hidden; bytes that are no text come back."""
    assert cipher.encrypt(None, 7) is None
    assert cipher.decrypt(None, 7) is None
    assert cipher.decrypt_bytes(cipher.encrypt(b"\xff\x00", 7), 7) == b"\xff\x00"


def test_many_values_are_as_one_by_one(cipher: ColumnCipher):
    """In order, nulls between them, each with a nonce of its own."""
    values = [(None if number % 3 == 0 else "same", number) for number in range(1000)]
    stored = cipher.encrypt_many(values)

    assert cipher.decrypt_many((each, row) for each, (_, row) in zip(stored, values, strict=True)) == [
        value for value, _ in values
    ]
    assert len({take_apart(each).nonce for each in stored if each}) == 666
    assert cipher.encrypt_many([]) == [] and cipher.encrypt_many([(None, 1)]) == [None]


def test_a_value_does_not_open_elsewhere(cipher: ColumnCipher):
    """Another row, column, table or schema: refused, with a message that names the place and no value."""
    stored = cipher.encrypt("123-45-6789", ("a", "bc"))
    elsewhere = [
        (cipher, ("ab", "c")),
        (replace(cipher, column="email"), ("a", "bc")),
        (replace(cipher, table="orders"), ("a", "bc")),
        (replace(cipher, schema="other"), ("a", "bc")),
    ]

    for place, row in elsewhere:
        with pytest.raises(ValueRefused, match="not authentic") as refused:
            place.decrypt(stored, row)
        assert "123-45" not in str(refused.value) and refused.value.__cause__ is None


def test_every_changed_byte_is_noticed(cipher: ColumnCipher):
    """Version, flags, key id, nonce, ciphertext, tag: one bit of any byte, and the value is refused."""
    stored = cipher.encrypt("123-45-6789", 7)

    for place in range(len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises((ValueRefused, KeyUnavailable)):
            cipher.decrypt(changed, 7)


def test_padding_hides_the_length(cipher: ColumnCipher):
    """Values of one block are of one length, and the cipher without padding reads them too."""
    padded = replace(cipher, pad_to=32)
    short, long = padded.encrypt("no", 1), padded.encrypt("a rather longer answer", 2)

    assert len(short) == len(long)
    assert cipher.decrypt(short, 1) == "no" and padded.decrypt(cipher.encrypt("yes", 3), 3) == "yes"
    with pytest.raises(BadInput):
        replace(cipher, pad_to=-1)


def test_rewrapping_touches_no_value(cipher: ColumnCipher, keyring: Keyring):
    """After a rotation of the wrapping key all data keys are wrapped anew, and the old one can go."""
    stored = cipher.encrypt("123-45-6789", 7)
    keyring.rotate()
    provider = keyring.provider
    former = provider.key_id
    provider.rotate()

    assert keyring.rewrap() == 2
    assert keyring.rewrap() == 0
    provider.destroy(former)
    assert replace(cipher, keyring=again(keyring)).decrypt(stored, 7) == "123-45-6789"


def test_data_keys_move_to_another_provider(cipher: ColumnCipher, keyring: Keyring, tmp_path: Path):
    """The former provider may then be given up, file and all."""
    stored = cipher.encrypt("123-45-6789", 7)
    new = LocalFile(tmp_path / "other.json")

    assert keyring.rewrap(new) == 1
    (tmp_path / "keys.json").unlink()
    assert replace(cipher, keyring=Keyring(keyring.table, new)).decrypt(stored, 7) == "123-45-6789"


def test_a_rotated_key_opens_what_it_sealed(cipher: ColumnCipher, keyring: Keyring):
    """New values get the new key, old ones open by the id that they bear."""
    before = cipher.encrypt("a", 1)
    key_id = keyring.rotate()
    after = cipher.encrypt("b", 1)

    assert take_apart(after).key_id == key_id != take_apart(before).key_id
    assert [cipher.decrypt(each, 1) for each in (before, after)] == ["a", "b"]
    assert [each.active for each in keyring.all_keys()] == [False, True]


def test_a_destroyed_key_leaves_its_values_unreadable(cipher: ColumnCipher, keyring: Keyring):
    """Here at once, elsewhere as soon as the key is asked for again; other keys' values stay."""
    lost = cipher.encrypt("a", 1)
    keyring.rotate()
    kept = cipher.encrypt("b", 1)

    keyring.destroy(take_apart(lost).key_id)

    for each in (keyring, again(keyring)):
        with pytest.raises(KeyUnavailable, match="destroyed"):
            replace(cipher, keyring=each).decrypt(lost, 1)
        assert replace(cipher, keyring=each).decrypt(kept, 1) == "b"
    with pytest.raises(KeyUnavailable):
        keyring.destroy(take_apart(lost).key_id)


def test_a_key_destroyed_elsewhere_is_given_up_in_time(cipher: ColumnCipher, keyring: Keyring):
    """A process keeps an opened key for *kept_s*, and no longer."""
    elsewhere = Keyring(keyring.table, keyring.provider, kept_s=0)
    stored = cipher.encrypt("a", 1)
    assert replace(cipher, keyring=elsewhere).decrypt(stored, 1) == "a"

    keyring.rotate()
    keyring.destroy(take_apart(stored).key_id)

    assert cipher.decrypt(cipher.encrypt("b", 1), 1) == "b"
    with pytest.raises(KeyUnavailable):
        replace(cipher, keyring=elsewhere).decrypt(stored, 1)


def test_a_key_that_seals_is_not_destroyed(cipher: ColumnCipher, keyring: Keyring):
    """Neither the active key, nor an unknown one: each says why, and nothing is lost."""
    stored = cipher.encrypt("a", 1)

    with pytest.raises(KeyUnavailable, match="seals still: rotate first"):
        keyring.destroy(take_apart(stored).key_id)
    with pytest.raises(KeyUnavailable, match="is not there"):
        keyring.destroy(bytes(32))
    assert cipher.decrypt(stored, 1) == "a"


def test_a_process_that_missed_a_destruction_soon_seals_no_more(cipher: ColumnCipher, keyring: Keyring):
    """The next share of nonces is refused: what it would seal could never be read."""
    elsewhere = replace(cipher, keyring=again(keyring))
    stored = elsewhere.encrypt("a", 1)
    keyring.rotate()
    keyring.destroy(take_apart(stored).key_id)

    with pytest.raises(KeyUnavailable, match="seals no more"):
        elsewhere.encrypt_many(("b", number) for number in range(70_000))
    assert cipher.decrypt(elsewhere.encrypt("c", 1), 1) == "c"


def test_a_keyring_without_its_table_says_so(server: Server, database: str, tmp_path: Path):
    """The message names the table, the database and what to call."""
    table = KeyTable(lambda: server.session(database), schema="Not There")

    with pytest.raises(BadInput, match=r'"Not There"\.data_key is not in the database .*make\(\)'):
        Keyring(table, LocalFile(tmp_path / "keys.json")).sealing()


def test_shredding_an_identity_forgets_its_values_alone(cipher: ColumnCipher, keyring: Keyring):
    """Ann's values are lost, Bob's are not; Ann gets no new key by accident."""
    ann, bob = replace(cipher, identity="ann"), replace(cipher, identity="bob")
    of_ann, of_bob = ann.encrypt("a", 1), bob.encrypt("b", 2)
    assert take_apart(of_ann).key_id != take_apart(of_bob).key_id

    assert keyring.shred("ann") == 1

    with pytest.raises(KeyUnavailable, match="destroyed"):
        ann.decrypt(of_ann, 1)
    assert bob.decrypt(of_bob, 2) == "b"
    with pytest.raises(KeyUnavailable, match="shredded"):
        ann.encrypt("again", 1)
    assert keyring.shred("nobody") == 0
    with pytest.raises(KeyUnavailable):
        keyring.shred("")


def test_the_nonce_budget_of_a_key_ends(cipher: ColumnCipher, keyring: Keyring, pg: Connection):
    """At 2^32 values a key seals no more, in no process; after a rotation it goes on."""
    pg.execute("update encryption.data_key set sealed = 0")
    key = keyring.sealing()
    key.left = 0
    pg.execute("update encryption.data_key set sealed = %s", [NONCE_BUDGET - 3])

    assert [cipher.encrypt("a", number) is not None for number in range(3)] == [True] * 3
    for each in (keyring, again(keyring)):
        with pytest.raises(NonceBudgetSpent, match="rotate"):
            replace(cipher, keyring=each).encrypt("a", 4)
    keyring.rotate()
    assert cipher.encrypt("a", 4) is not None


def test_a_forked_process_counts_its_own_nonces(cipher: ColumnCipher, keyring: Keyring):
    """Parent and child do not share what is left of a share: each takes one."""
    cipher.encrypt("a", 1)
    before = keyring.all_keys()[0].sealed
    child = os.fork()
    if child == 0:
        try:
            sealed = cipher.encrypt("b", 2)
        finally:
            os._exit(0 if sealed else 1)
    assert os.waitpid(child, 0)[1] == 0

    assert keyring.all_keys()[0].sealed == 2 * before


def test_threads_and_processes_that_begin_at_once_share_one_key(keyring: Keyring):
    """Eight keyrings make the first keys at the same moment: one of each is kept, and all use it."""
    start = threading.Barrier(8)
    hashes = set()

    def seal(number: int) -> bytes:
        mine = again(keyring)
        cipher, index = ColumnCipher(mine, "shop", "users", "ssn"), BlindIndex(mine, "shop", "users", "ssn")
        start.wait()
        hashes.add(index.of("a"))
        return cipher.encrypt("a", number) or b""

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(seal, range(8)))

    cipher = ColumnCipher(keyring, "shop", "users", "ssn")
    assert cipher.decrypt_many(zip(stored, range(8), strict=True)) == ["a"] * 8
    assert len({take_apart(each).key_id for each in stored}) == 1 and len(hashes) == 1
    assert [each.active for each in keyring.all_keys()] == [True, True]


def test_a_swapped_key_row_is_noticed(cipher: ColumnCipher, keyring: Keyring, pg: Connection):
    """Who can write the key table cannot make a value open with a key of his choice."""
    stored = cipher.encrypt("a", 1)
    keyring.rotate()
    pg.execute(
        "update encryption.data_key set wrapped = (select wrapped from encryption.data_key where active)"
    )

    with pytest.raises(KeyUnavailable, match="key table was changed"):
        replace(cipher, keyring=again(keyring)).decrypt(stored, 1)


def test_a_keyring_shows_and_pickles_nothing(cipher: ColumnCipher, keyring: Keyring):
    """Neither its repr nor the cipher's holds key material, and neither can be pickled."""
    cipher.encrypt("a", 1)
    key = keyring.sealing().material()

    for each in (keyring, cipher, keyring.all_keys()[0], keyring.provider):
        assert key.hex() not in repr(each) and repr(key)[2:-1] not in repr(each)
    with pytest.raises(TypeError):
        pickle.dumps(keyring)
    with pytest.raises(TypeError):
        pickle.dumps(cipher)


@pytest.fixture
def people(pg: Connection, cipher: ColumnCipher, keyring: Keyring) -> Iterator[tuple[Connection, BlindIndex]]:
    index = BlindIndex(keyring, "public", "people", "ssn", form="alphanumeric")
    pg.execute("create table people (id int primary key, ssn bytea, ssn_index bytea)")
    rows = [(number, f"{number % 400:09d}") for number in range(2000)]
    stored = cipher.encrypt_many((ssn, number) for number, ssn in rows)
    for (number, ssn), value in zip(rows, stored, strict=True):
        pg.execute("insert into people values (%s, %s, %s)", [number, value, index.of(ssn)])
    pg.execute("create index people_ssn on people (ssn_index)")
    pg.execute("analyze people")
    yield pg, index


def test_an_equal_value_is_found_by_its_index(people: tuple[Connection, BlindIndex]):
    """The server answers from the index, without a key; another spelling of the value finds it too."""
    pg, index = people
    wanted = index.of("000-00-0123")
    plan = pg.execute("explain select id from people where ssn_index = %s", [wanted]).fetchall()
    found = pg.execute("select id from people where ssn_index = %s order by id", [wanted]).fetchall()

    assert any("people_ssn" in line for (line,) in plan)
    assert [number for (number,) in found] == [123, 523, 923, 1323, 1723]


def test_a_blind_index_gives_equality_and_frequency_away(people: tuple[Connection, BlindIndex]):
    """Without any key the table tells which rows share a value, which the ciphertext alone does not."""
    pg, _ = people
    shared = pg.execute("select count(distinct ssn_index), count(distinct ssn) from people").fetchone()

    assert shared == (400, 2000)


def test_indexes_of_two_columns_cannot_be_joined(keyring: Keyring):
    """Each column, and each form, has a key of its own; null has no hash; another process gives the same."""
    index = BlindIndex(keyring, "public", "people", "ssn")
    others = [replace(index, column="email"), replace(index, table="staff"), replace(index, form="exact")]

    assert all(other.of("x") != index.of("x") for other in others)
    assert index.of(None) is None
    assert replace(index, keyring=again(keyring)).of("x") == index.of("x")


def test_a_short_index_finds_too_much_as_often_as_it_says(keyring: Keyring):
    """8 bits: of 2,560 values about 10 share one's hash; compared after decryption, one is left."""
    index = BlindIndex(keyring, "public", "people", "ssn", bits=8)
    values = [str(number) for number in range(2560)]
    hashes = index.of_many(values)
    found = [sum(each == wanted for each in hashes) - 1 for wanted in hashes]

    assert index.expected_false_positives(2560) == pytest.approx(10, abs=0.01)
    assert sum(found) / len(found) == pytest.approx(11, abs=1.5)  # the hashes' own variance adds about 1
    assert [value for value in values if index.of(value) == index.of("7") and index.same(value, "7")] == ["7"]


@pytest.mark.parametrize("wrong", [{"bits": 12}, {"bits": 0}, {"bits": 264}, {"form": "soundex"}])
def test_a_blind_index_that_cannot_be_is_refused(keyring: Keyring, wrong: dict[str, object]):
    """Odd sizes and unknown forms, named."""
    with pytest.raises(BadInput):
        BlindIndex(keyring, "public", "people", "ssn", **wrong)
