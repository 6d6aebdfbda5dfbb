"""The wrapped data keys in a table, and the count of what each has sealed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extras import execute_values

from workbench.areas.security.encryption.errors import KeyUnavailable
from workbench.areas.security.encryption.keys import Purpose, WrappedKey
from workbench.areas.security.encryption.stored import NONCE_BUDGET
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.sql import read

Connect = Callable[[], contextlib.AbstractContextManager[Connection]]
_FOLDER = "security/encryption/"


class KeyTable:
    """The table ``data_key`` in *schema* of the database to which *connect* opens autocommit connections.

    It has connections of its own, so that a transaction of the application that is rolled back never gives
    a nonce back. Where identities are to be forgotten for good, put it in another database than the values,
    whose backups are kept for a shorter time: the wrapped key in a backup can be unwrapped again.
    """

    def __init__(self, connect: Connect, *, schema: str = "encryption") -> None:
        self._connect = connect
        self._schema = sql.Identifier(schema)

    def make(self) -> None:
        """Make schema and table; they may be there."""
        with self._session() as conn:
            conn.execute(self._text("key_table.sql"))

    def add(self, key: WrappedKey, *, rotating: bool = False) -> None:
        """Store a new key as the active one of its purpose and identity; *rotating*, in place of that.

        Raises UniqueViolation where there is one, made by another process at this moment.
        """
        with self._session() as conn:
            conn.execute(
                self._text("key_add.sql"),
                {
                    "key_id": key.key_id,
                    "purpose": key.purpose,
                    "identity": key.identity,
                    "wrapped": key.wrapped,
                    "provider": key.provider,
                    "wrapping_key": key.wrapping_key,
                    "rotating": rotating,
                },
            )

    def find(self, key_id: bytes) -> WrappedKey | None:
        """The key *key_id*."""
        return next(self._found(key_id=key_id), None)

    def active(self, purpose: Purpose, identity: str) -> WrappedKey | None:
        """The key that seals now."""
        return next(self._found(purpose=purpose, identity=identity), None)

    def all(self) -> list[WrappedKey]:
        """Every key, destroyed ones too, the oldest first."""
        return list(self._found())

    def reserve(self, key_id: bytes, count: int) -> bool:
        """Count *count* nonces as used; whether the key has so many left."""
        with self._session() as conn:
            parameters = {"key_id": key_id, "count": count, "budget": NONCE_BUDGET}
            return conn.execute(self._text("key_reserve.sql"), parameters).fetchone() is not None

    def rewrap(self, pairs: Sequence[tuple[WrappedKey, WrappedKey]]) -> int:
        """Put the second of each pair in the place of the first, all or none; how many were."""
        if not pairs:
            return 0
        rows = [(new.key_id, old.wrapped, new.wrapped, new.provider, new.wrapping_key) for old, new in pairs]
        with self._session() as conn, conn.cursor() as cur:
            text = self._text("key_rewrap.sql").as_string(conn)
            return len(execute_values(cur, text, rows, page_size=len(rows), fetch=True))

    def destroy(self, *, key_id: bytes | None = None, identity: str = "") -> list[bytes]:
        """Forget one key, or all of an identity; the ids of those that were there."""
        with self._session() as conn:
            parameters = {"key_id": key_id, "identity": identity}
            gone = conn.execute(self._text("key_destroy.sql"), parameters).fetchall()
        return [bytes(each) for (each,) in gone]

    def _found(self, **parameters: Any) -> Iterator[WrappedKey]:
        given = {"key_id": None, "purpose": None, "identity": None, **parameters}
        with self._session() as conn:
            rows = conn.execute(self._text("key_find.sql"), given).fetchall()
        for key_id, purpose, identity, wrapped, provider, wrapping_key, active, sealed in rows:
            yield WrappedKey(
                bytes(key_id),
                purpose,
                identity,
                None if wrapped is None else bytes(wrapped),
                provider,
                wrapping_key,
                active,
                sealed,
            )

    @contextlib.contextmanager
    def _session(self) -> Iterator[Connection]:
        with self._connect() as conn:
            try:
                yield conn
            except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
                raise BadInput(
                    f"the key table {qualified(self._schema.string, 'data_key')} is not in the database "
                    f"{conn.info.dbname}: call make() first"
                ) from None
            except psycopg2.errors.InsufficientPrivilege as exc:
                raise KeyUnavailable(f"the key table cannot be used: {str(exc).splitlines()[0]}") from None

    def _text(self, name: str) -> sql.Composed:
        return sql.SQL(read(_FOLDER + name)).format(schema=self._schema)
