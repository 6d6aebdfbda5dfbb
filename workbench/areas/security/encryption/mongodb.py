"""MongoDB's client-side field level encryption, by pymongo and pymongocrypt: the server sees ciphertext.

Explicit encryption, automatic decryption; that needs no server of the Enterprise edition. Sources: MongoDB
manual, "Explicit Encryption" and "$jsonSchema: encrypt"; the cipher is AEAD_AES_256_CBC_HMAC_SHA_512.
A value is bound to its key, algorithm and BSON type, not to its document: within one key it can be moved.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pymongo.errors
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.encryption import ClientEncryption
from pymongo.encryption_options import AutoEncryptionOpts

from workbench.areas.security.encryption.errors import KeyUnavailable, ValueRefused
from workbench.areas.security.encryption.keys import derived
from workbench.areas.security.encryption.providers.local_file import LocalFile
from workbench.engines.mongo import Client, Document, MongoServer
from workbench.errors import BadInput, FeatureUnavailable

Kind: TypeAlias = Literal["random", "deterministic"]
_ALGORITHMS: Mapping[Kind, str] = {
    "random": "AEAD_AES_256_CBC_HMAC_SHA_512-Random",
    "deterministic": "AEAD_AES_256_CBC_HMAC_SHA_512-Deterministic",
}
_LOCAL_KEY_BYTES = 96
_LIBRARY = "WORKBENCH_CRYPT_SHARED"


@dataclass(frozen=True)
class EncryptedField:
    """A field that must be encrypted: *path* with dots, the BSON type of its value, and how.

    ``deterministic`` gives equal values equal ciphertext, so that they can be searched for and indexed, and
    says as much to who reads the collection; ``random`` says nothing.
    """

    path: str
    bson_type: str = "string"
    kind: Kind = "random"


@dataclass(frozen=True)
class KeyService:
    """Where the master key is: pymongo's *kms_providers*, the one that wraps now, and its *master_key*."""

    kms_providers: Mapping[str, Any] = field(repr=False)
    provider: str
    master_key: Mapping[str, Any] | None = None


def local_key_service(keys: LocalFile) -> KeyService:
    """Master keys of 96 bytes derived from a key file's wrapping keys; after a rotation both serve."""
    providers = {
        f"local:{name}": {"key": derived(key, b"MongoDB master key", length=_LOCAL_KEY_BYTES)}
        for name, key in keys.material().items()
    }
    return KeyService(providers, f"local:{keys.key_id}")


class FieldEncryption:
    """Data keys in the collection *vault* (``database.collection``) of *server*, and values under them."""

    def __init__(self, server: MongoServer, service: KeyService, *, vault: str) -> None:
        self._database, _, self._collection = vault.partition(".")
        if not self._database or not self._collection:
            raise BadInput(
                f"the key vault {vault!r}: write database.collection, such as encryption.__keyVault"
            )
        self._server, self._service, self._vault = server, service, vault
        self._client = server.client()
        self._crypt = self._opened(service.kms_providers)

    def make_vault(self) -> None:
        """The unique index without which two keys could have the same name; it may be there."""
        self._client[self._database][self._collection].create_index(
            "keyAltNames", unique=True, partialFilterExpression={"keyAltNames": {"$exists": True}}
        )

    def make_key(self, name: str) -> Binary:
        """The id of the data key *name*, which is made where there is none."""
        try:
            return self._crypt.create_data_key(
                self._service.provider, master_key=self._service.master_key, key_alt_names=[name]
            )
        except pymongo.errors.DuplicateKeyError:
            return self._key_id(name)
        except pymongo.errors.EncryptionError as exc:
            if isinstance(exc.cause, pymongo.errors.DuplicateKeyError):
                return self._key_id(name)
            raise KeyUnavailable(
                f"the data key {name!r} cannot be made: {type(exc.cause).__name__}"
            ) from None

    def encrypt(self, value: Any, *, key: str, kind: Kind = "random") -> Binary | None:
        """What to store for *value*, and of a ``deterministic`` one to search for; None stays None."""
        if value is None:
            return None
        try:
            return self._crypt.encrypt(value, _ALGORITHMS[kind], key_alt_name=key)
        except pymongo.errors.EncryptionError:
            raise KeyUnavailable(
                f"no value of type {type(value).__name__} can be encrypted with the data key {key!r}: "
                "the key is not in the vault, or cannot be unwrapped, or the type has no deterministic form"
            ) from None

    def decrypt(self, stored: Binary | None) -> Any:
        """What was encrypted. Raises ValueRefused where it was changed, or its key is gone."""
        if stored is None:
            return None
        try:
            return self._crypt.decrypt(stored)
        except (pymongo.errors.EncryptionError, TypeError):
            raise ValueRefused(
                "an encrypted value does not open: it was changed, or its key was destroyed or not unwrapped"
            ) from None

    @contextlib.contextmanager
    def reading_client(self) -> Iterator[Client]:
        """A client that decrypts whatever it reads, and encrypts nothing by itself."""
        options = AutoEncryptionOpts(
            dict(self._service.kms_providers), self._vault, bypass_auto_encryption=True
        )
        with self._server.client(auto_encryption_opts=options) as client:
            yield client

    def rewrap(self, service: KeyService) -> int:
        """Wrap all data keys anew with the master key of *service*; how many. No document is touched."""
        both = {**self._service.kms_providers, **service.kms_providers}
        with contextlib.closing(self._opened(both)) as crypt:
            result = crypt.rewrap_many_data_key({}, provider=service.provider, master_key=service.master_key)
        self._crypt.close()
        self._service = service
        self._crypt = self._opened(service.kms_providers)
        return result.bulk_write_result.modified_count if result.bulk_write_result else 0

    def destroy(self, name: str) -> None:
        """Destroy the data key *name*, and with it its values; KeyUnavailable where there is none."""
        self._crypt.delete_key(self._key_id(name))

    def close(self) -> None:
        """Forget the keys and leave the server."""
        self._crypt.close()
        self._client.close()

    def __enter__(self) -> FieldEncryption:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FieldEncryption({self._vault}, {self._service.provider.partition(':')[0]})"

    def _key_id(self, name: str) -> Binary:
        found = self._crypt.get_key_by_alt_name(name)
        if found is None:
            raise KeyUnavailable(f"the data key {name!r} is not in the vault {self._vault}")
        return Binary.from_uuid(found["_id"]) if not isinstance(found["_id"], Binary) else found["_id"]

    def _opened(self, providers: Mapping[str, Any]) -> ClientEncryption[Document]:
        return ClientEncryption(
            dict(providers),
            self._vault,
            self._client,
            CodecOptions(uuid_representation=UuidRepresentation.STANDARD),
        )


def encrypted_fields_validator(fields: list[EncryptedField]) -> Document:
    """A validator that refuses a document in which one of *fields* is there and is not encrypted as declared.

    The server checks subtype 6 and the original BSON type, which the ciphertext bears in clear; it checks
    neither the algorithm nor that the value opens. Documents that were there before are not checked.
    """
    schema: Document = {"bsonType": "object", "properties": {}}
    for each in fields:
        *parents, name = each.path.split(".")
        if not all([*parents, name]):
            raise BadInput(f"the field {each.path!r} has an empty part")
        properties = schema["properties"]
        for parent in parents:
            properties = properties.setdefault(parent, {"bsonType": "object", "properties": {}})["properties"]
        properties[name] = {"encrypt": {"bsonType": each.bson_type, "algorithm": _ALGORITHMS[each.kind]}}
    return {"$jsonSchema": schema}


def automatic_encryption_library() -> Path:
    """What encrypts by itself: the crypt_shared library of WORKBENCH_CRYPT_SHARED, or mongocryptd on PATH.

    Raises FeatureUnavailable where there is neither: no package registry has them.
    """
    named = os.environ.get(_LIBRARY)
    if named and not Path(named).is_file():
        raise BadInput(f"{_LIBRARY}={named} is no file: name the library mongo_crypt_v1 itself")
    found = named or shutil.which("mongocryptd")
    if not found:
        raise FeatureUnavailable(
            "automatic encryption",
            "this machine",
            hint="it needs MongoDB's mongo_crypt_v1, named in WORKBENCH_CRYPT_SHARED, or mongocryptd; "
            "explicit encryption, which is proved here, needs neither",
        )
    return Path(found)
