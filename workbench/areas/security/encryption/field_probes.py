"""MongoDB's client-side field encryption, tried as who has the keys and as who has not."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo.errors
from pymongo.database import Database

from workbench.areas.security.attacks.model import Attempt, Declared, Observed
from workbench.areas.security.encryption.errors import EncryptionError
from workbench.areas.security.encryption.mongodb import (
    EncryptedField,
    FieldEncryption,
    encrypted_fields_validator,
    local_key_service,
)
from workbench.areas.security.encryption.providers import LocalFile
from workbench.engines.mongo import Document, MongoServer


def field_probes(server: MongoServer) -> list[Attempt]:
    """What is tried against encrypted fields in a scratch database of *server*, which is dropped.

    Raises FeatureUnavailable where the driver's library of encryption is missing.
    """
    with tempfile.TemporaryDirectory() as folder, server.scratch_database(label="fields") as database:
        keys = LocalFile(Path(folder) / "keys.json")
        vault = f"{database.name}.__keyVault"
        with FieldEncryption(server, local_key_service(keys), vault=vault) as fields:
            fields.make_vault()
            fields.make_key("people")
            others = LocalFile(Path(folder) / "others.json")
            with FieldEncryption(server, local_key_service(others), vault=vault) as stranger:
                return list(_attempts(database, fields, stranger))


def _attempts(
    database: Database[Document], fields: FieldEncryption, stranger: FieldEncryption
) -> Iterator[Attempt]:
    value = f"ssn-{secrets.token_hex(10)}"
    people = database.create_collection(
        "people", validator=encrypted_fields_validator([EncryptedField("ssn", kind="deterministic")])
    )
    sealed = fields.encrypt(value, key="people", kind="deterministic")
    people.insert_one({"_id": 1, "ssn": sealed})
    stored = people.find_one({"_id": 1})
    clear = stored is None or value.encode() in bytes(stored["ssn"])
    seen: Observed = "reached" if clear else "nothing"
    yield _attempt("M1", "read the value without the keys", "an administrator", "refused", seen)
    refused = _insert(people, {"_id": 2, "ssn": value})
    yield _attempt("M2", "insert a value in clear", "a program without encryption", "refused", *refused)
    opened = _opened(stranger, sealed, value)
    yield _attempt("M3", "open a value with other keys", "another program", "refused", *opened)
    opened = _opened(fields, sealed, value)
    yield _attempt("M4", "open a value with its keys", "the program", "allowed", *opened)
    found = people.count_documents({"ssn": fields.encrypt(value, key="people", kind="deterministic")})
    counted: Observed = "reached" if found == 1 else "nothing"
    yield _attempt("M5", "find a value by equality", "the program", "allowed", counted, f"{found} found")


def _insert(people: Any, document: Document) -> tuple[Observed, str]:
    try:
        people.insert_one(document)
    except pymongo.errors.WriteError as exc:
        return "refused", str(exc.details.get("errmsg", "")) if exc.details else ""
    return "reached", "stored"


def _opened(fields: FieldEncryption, sealed: Any, value: str) -> tuple[Observed, str]:
    try:
        opened = fields.decrypt(sealed)
    except EncryptionError as exc:
        return "refused", type(exc).__name__
    return ("reached", "") if opened == value else ("nothing", "another value")


def _attempt(
    number: str, name: str, role: str, declared: Declared, observed: Observed, detail: str = ""
) -> Attempt:
    as_declared = (observed == "reached") == (declared == "allowed")
    return Attempt(
        key=f"{number}: {name}",
        group="probe",
        number=number,
        name=name,
        role=role,
        identity="",
        statement=name,
        declared=declared,
        observed=observed,
        as_declared=as_declared,
        detail=detail,
    )
