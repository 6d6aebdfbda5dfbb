"""Client-side field level encryption on a real mongod."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pymongo.errors
import pytest
from bson.binary import Binary
from pymongo.database import Database

from workbench.areas.security.encryption import KeyUnavailable, ValueRefused
from workbench.areas.security.encryption.mongodb import (
    EncryptedField,
    FieldEncryption,
    automatic_encryption_library,
    encrypted_fields_validator,
    local_key_service,
)
from workbench.areas.security.encryption.providers import LocalFile
from workbench.engines.mongo import Document, MongoServer
from workbench.errors import BadInput, FeatureUnavailable


@pytest.fixture
def keys(tmp_path: Path) -> LocalFile:
    return LocalFile(tmp_path / "keys.json")


@pytest.fixture
def fields(
    mongo_server: MongoServer, mongo: Database[Document], keys: LocalFile
) -> Iterator[FieldEncryption]:
    with FieldEncryption(mongo_server, local_key_service(keys), vault=f"{mongo.name}.__keyVault") as made:
        made.make_vault()
        made.make_vault()
        made.make_key("people")
        yield made


def test_the_server_sees_ciphertext_alone(fields: FieldEncryption, mongo: Database[Document]):
    """Binary of subtype 6; the ordinary client reads that, the client with the keys reads the value."""
    mongo.people.insert_one({"_id": 1, "ssn": fields.encrypt("123-45-6789", key="people")})

    stored = mongo.people.find_one({"_id": 1})["ssn"]
    assert isinstance(stored, Binary) and stored.subtype == 6 and b"6789" not in stored
    with fields.reading_client() as client:
        assert client[mongo.name].people.find_one({"_id": 1})["ssn"] == "123-45-6789"
    assert fields.decrypt(stored) == "123-45-6789"
    assert fields.encrypt(None, key="people") is None and fields.decrypt(None) is None


def test_equal_values_are_found_only_where_that_was_chosen(
    fields: FieldEncryption, mongo: Database[Document]
):
    """Deterministic: found, by an index. Random: never the same twice, so never found."""
    mongo.people.create_index("ssn")
    for number in range(50):
        value = f"ssn {number % 10}"
        mongo.people.insert_one(
            {
                "ssn": fields.encrypt(value, key="people", kind="deterministic"),
                "note": fields.encrypt(value, key="people"),
            }
        )
    wanted = fields.encrypt("ssn 7", key="people", kind="deterministic")

    assert mongo.people.count_documents({"ssn": wanted}) == 5
    plan = mongo.people.find({"ssn": wanted}).explain()["queryPlanner"]["winningPlan"]
    assert plan["inputStage"]["stage"] == "IXSCAN"
    assert mongo.people.count_documents({"note": fields.encrypt("ssn 7", key="people")}) == 0
    assert len(mongo.people.distinct("ssn")) == 10 and len(mongo.people.distinct("note")) == 50


def test_a_plaintext_insert_is_refused(fields: FieldEncryption, mongo: Database[Document]):
    """Text, plain bytes, null, another type; absent and encrypted is accepted, of either algorithm."""
    validator = encrypted_fields_validator(
        [EncryptedField("ssn", kind="deterministic"), EncryptedField("card.number")]
    )
    people = mongo.create_collection("people", validator=validator)
    sealed = fields.encrypt("123-45-6789", key="people", kind="deterministic")
    random = fields.encrypt("4111", key="people")

    people.insert_many(
        [{"ssn": sealed, "card": {"number": random, "year": 2030}}, {"name": "no ssn"}, {"ssn": random}]
    )
    refused: list[Document] = [
        {"ssn": "123-45-6789"},
        {"ssn": bytes(sealed)},
        {"ssn": None},
        {"ssn": fields.encrypt(123456789, key="people", kind="deterministic")},
        {"card": {"number": "4111"}},
        {"card": "4111"},
    ]
    for document in refused:
        with pytest.raises(pymongo.errors.WriteError, match="failed validation"):
            people.insert_one(document)
    with pytest.raises(pymongo.errors.WriteError):
        people.update_one({"name": "no ssn"}, {"$set": {"ssn": "123-45-6789"}})
    assert people.count_documents({}) == 3


def test_data_keys_are_wrapped_anew_without_a_document(
    fields: FieldEncryption, mongo: Database[Document], mongo_server: MongoServer, keys: LocalFile
):
    """After the master key's rotation the former one can be destroyed; documents are as they were."""
    mongo.people.insert_one({"_id": 1, "ssn": fields.encrypt("123-45-6789", key="people")})
    before, former = mongo.people.find_one({"_id": 1}), keys.key_id
    keys.rotate()

    assert fields.rewrap(local_key_service(keys)) == 1
    keys.destroy(former)

    assert mongo.people.find_one({"_id": 1}) == before
    with FieldEncryption(mongo_server, local_key_service(keys), vault=f"{mongo.name}.__keyVault") as again:
        assert again.decrypt(before["ssn"]) == "123-45-6789"


def test_a_destroyed_key_leaves_its_values_unreadable(
    fields: FieldEncryption, mongo: Database[Document], mongo_server: MongoServer, keys: LocalFile
):
    """One data key a person: what it sealed is lost, another's values are not."""
    fields.make_key("ann")
    fields.make_key("bob")
    ann, bob = fields.encrypt("a", key="ann"), fields.encrypt("b", key="bob")

    fields.destroy("ann")

    with FieldEncryption(mongo_server, local_key_service(keys), vault=f"{mongo.name}.__keyVault") as again:
        with pytest.raises(ValueRefused):
            again.decrypt(ann)
        with pytest.raises(KeyUnavailable, match="not in the vault"):
            again.encrypt("a", key="ann")
        with pytest.raises(KeyUnavailable):
            again.destroy("ann")
        assert again.decrypt(bob) == "b"


def test_a_changed_value_and_foreign_keys_are_refused(
    fields: FieldEncryption, mongo: Database[Document], mongo_server: MongoServer, tmp_path: Path
):
    """One bit anywhere; a thief with the whole database and another master key."""
    stored = fields.encrypt("123-45-6789", key="people")

    for place in range(0, len(stored), 7):
        changed = bytearray(stored)
        changed[place] ^= 1
        with pytest.raises(ValueRefused) as refused:
            fields.decrypt(Binary(bytes(changed), 6))
        assert "6789" not in str(refused.value)
    service = local_key_service(LocalFile(tmp_path / "another.json"))
    with (
        FieldEncryption(mongo_server, service, vault=f"{mongo.name}.__keyVault") as thief,
        pytest.raises(ValueRefused),
    ):
        thief.decrypt(stored)


def test_a_value_can_be_moved_within_its_key(fields: FieldEncryption, mongo: Database[Document]):
    """What this encryption does not do: a value opens in another document; a key each prevents it."""
    mongo.people.insert_one({"_id": 1, "ssn": fields.encrypt("a", key="people")})
    mongo.people.insert_one({"_id": 2, "ssn": mongo.people.find_one({"_id": 1})["ssn"]})

    assert fields.decrypt(mongo.people.find_one({"_id": 2})["ssn"]) == "a"


def test_a_key_has_one_name(fields: FieldEncryption, mongo: Database[Document]):
    """Asked for twice it is the same key; the index refuses a second one."""
    assert fields.make_key("people") == fields.make_key("people")
    assert mongo["__keyVault"].count_documents({}) == 1
    with pytest.raises(pymongo.errors.DuplicateKeyError):
        mongo["__keyVault"].insert_one({"keyAltNames": ["people"]})


def test_nothing_shows_a_key(fields: FieldEncryption, keys: LocalFile):
    """Neither the object nor its key service."""
    service = local_key_service(keys)
    key = next(iter(service.kms_providers.values()))["key"]

    assert len(key) == 96
    for each in (fields, service):
        assert key.hex() not in repr(each) and repr(key)[2:-1] not in repr(each)


def test_what_cannot_be_is_refused(
    mongo_server: MongoServer, keys: LocalFile, monkeypatch: pytest.MonkeyPatch
):
    """A vault without a collection, a field without a name, and automatic encryption without its library."""
    with pytest.raises(BadInput, match=r"database\.collection"):
        FieldEncryption(mongo_server, local_key_service(keys), vault="vault")
    with pytest.raises(BadInput, match="empty part"):
        encrypted_fields_validator([EncryptedField("a..b")])
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("WORKBENCH_CRYPT_SHARED", raising=False)
    with pytest.raises(FeatureUnavailable, match="mongo_crypt_v1"):
        automatic_encryption_library()
    monkeypatch.setenv("WORKBENCH_CRYPT_SHARED", "/nowhere")
    with pytest.raises(BadInput):
        automatic_encryption_library()
