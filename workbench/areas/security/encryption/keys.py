"""A data key: 32 random bytes, from which everything that is used is derived."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workbench.areas.security.encryption.places import encoded
from workbench.areas.security.encryption.stored import KEY_ID_BYTES

Purpose = Literal["values", "index"]
KEY_BYTES = 32
_ID, _VALUES, _INDEX = b"database-workbench key id", b"database-workbench values", b"database-workbench index"


def derived(key: bytes, label: bytes, *context: bytes, length: int = 32) -> bytes:
    """*length* bytes of HKDF-SHA-512 (RFC 5869) for one use, *label*, in one *context*."""
    return HKDF(algorithm=SHA512(), length=length, salt=None, info=encoded([label, *context])).derive(key)


def key_id_of(key: bytes, purpose: Purpose, identity: str) -> bytes:
    """What names *key* for all: it commits to the key and to what it is for, and says nothing of it."""
    return derived(key, _ID, purpose.encode(), identity.encode(), length=KEY_ID_BYTES)


@dataclass(frozen=True)
class WrappedKey:
    """A data key as it is stored: *wrapped* by the provider's *wrapping_key*; None once it is destroyed.

    *identity* is the one whose values it seals, "" for everybody's. *sealed* counts the nonces given out.
    """

    key_id: bytes
    purpose: Purpose
    identity: str
    wrapped: bytes | None = field(repr=False)
    provider: str
    wrapping_key: str
    active: bool = True
    sealed: int = 0

    @property
    def context(self) -> dict[str, str]:
        """What the provider binds the wrapped key to, where it can."""
        return wrapping_context(self.purpose, self.identity)


def wrapping_context(purpose: Purpose, identity: str) -> dict[str, str]:
    """The encryption context of a wrapped key."""
    return {"application": "database-workbench", "purpose": purpose, "identity": identity}


class OpenKey:
    """A data key that can be used, as long as this process keeps it. It shows and pickles nothing."""

    __slots__ = ("_root", "aead", "key_id", "left", "opened_s")

    def __init__(self, key: bytes, key_id: bytes, opened_s: float) -> None:
        self._root = key
        self.aead = AESGCM(derived(key, _VALUES))
        self.key_id = key_id
        self.opened_s = opened_s
        self.left = 0  # nonces of the store's count that this process may still use

    def index_key(self, column: bytes, form: str) -> bytes:
        """The key of one column's blind index, in one normal form."""
        return derived(self._root, _INDEX, column, form.encode())

    def material(self) -> bytes:
        """The data key itself, to be wrapped anew."""
        return self._root

    def __repr__(self) -> str:
        return f"<data key {self.key_id.hex()[:16]}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a data key is not written anywhere: open the keyring in the other process")


def new_key() -> bytes:
    """A fresh data key of the operating system's random numbers."""
    return os.urandom(KEY_BYTES)


def same_key(key: bytes, wrapped: WrappedKey) -> bool:
    """Whether *key* is the one that *wrapped* names; an id may be compared openly."""
    return key_id_of(key, wrapped.purpose, wrapped.identity) == wrapped.key_id
