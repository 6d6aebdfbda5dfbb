"""Encrypting and decrypting the values of one column."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from cryptography.exceptions import InvalidTag

from workbench.areas.security.encryption import stored as form
from workbench.areas.security.encryption.errors import ValueRefused
from workbench.areas.security.encryption.keyring import Keyring
from workbench.areas.security.encryption.keys import OpenKey
from workbench.areas.security.encryption.places import RowKey, column_bytes, row_bytes
from workbench.errors import BadInput

Stored: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True)
class ColumnCipher:
    """The values of one column, each bound to its row by the row's primary key.

    *pad_to* makes every value as long as the next multiple of so many bytes, so that its length says less.
    *identity* names whose values these are, where each identity has data keys of its own, to be shredded.
    """

    keyring: Keyring = field(repr=False)
    schema: str
    table: str
    column: str
    identity: str = ""
    pad_to: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.pad_to <= 65_536:
            raise BadInput(f"pad_to is {self.pad_to}: give 0 for none, or up to 65,536 bytes")

    @cached_property
    def _place(self) -> bytes:
        return column_bytes(self.schema, self.table, self.column)

    def encrypt(self, value: str | bytes | None, row: RowKey) -> bytes | None:
        """What to store for *value* in the row with the primary key *row*; None, which is null, stays None.

        Raises NonceBudgetSpent, KeyUnavailable.
        """
        if value is None:
            return None
        key = self.keyring.sealing(self.identity)
        return self._sealed(key, self._header(key), value, row, os.urandom(form.NONCE_BYTES))

    def encrypt_many(self, values: Iterable[tuple[str | bytes | None, RowKey]]) -> list[bytes | None]:
        """What to store for each (value, row), in order."""
        pairs = list(values)
        count = sum(value is not None for value, _ in pairs)
        if not count:
            return [None] * len(pairs)
        key = self.keyring.sealing(self.identity, count=count)
        header, size = self._header(key), form.NONCE_BYTES
        random = os.urandom(size * len(pairs))
        return [
            None
            if value is None
            else self._sealed(key, header, value, row, random[size * number : size * (number + 1)])
            for number, (value, row) in enumerate(pairs)
        ]

    def decrypt_bytes(self, stored: Stored | None, row: RowKey) -> bytes | None:
        """What was encrypted for this column and this row; None of None.

        Raises ValueRefused where the value was changed or comes from elsewhere, KeyUnavailable where its key
        is gone.
        """
        if stored is None:
            return None
        parts = form.take_apart(stored)
        key = self.keyring.opening(parts.key_id)
        try:
            plain = key.aead.decrypt(parts.nonce, parts.ciphertext, self._bound(parts.header, row))
        except InvalidTag:
            raise ValueRefused(
                f"a value of {self.schema}.{self.table}.{self.column} is not authentic in its row: "
                "it was changed, or moved here from another row or column"
            ) from None
        return form.unpad(plain) if parts.padded else plain

    def decrypt(self, stored: Stored | None, row: RowKey) -> str | None:
        """The same as text."""
        plain = self.decrypt_bytes(stored, row)
        return None if plain is None else plain.decode()

    def decrypt_many(self, values: Iterable[tuple[Stored | None, RowKey]]) -> list[str | None]:
        """The text of each (stored value, row), in order; the first that is refused ends it."""
        return [self.decrypt(stored, row) for stored, row in values]

    def _header(self, key: OpenKey) -> bytes:
        return form.header(key.key_id, padded=bool(self.pad_to))

    def _bound(self, header: bytes, row: RowKey) -> bytes:
        return form.DOMAIN + header + self._place + row_bytes(row)

    def _sealed(self, key: OpenKey, header: bytes, value: str | bytes, row: RowKey, nonce: bytes) -> bytes:
        plain = value.encode() if isinstance(value, str) else bytes(value)
        if self.pad_to:
            plain = form.pad(plain, self.pad_to)
        return header + nonce + key.aead.encrypt(nonce, plain, self._bound(header, row))


def key_ids(values: Sequence[Stored]) -> frozenset[bytes]:
    """The data keys that sealed *values*."""
    return frozenset(form.take_apart(each).key_id for each in values)
