"""The probes of encrypted columns, 27 to 29: secrets in the server's books, decryption without the right, and
moved or changed ciphertext. The naive design is pgcrypto with its key in a setting, the hardened one is ours.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from workbench.areas.security.attacks.model import AttackRun, Attempt, Observed
from workbench.areas.security.encryption import (
    ColumnCipher,
    EncryptionError,
    Keyring,
    KeyTable,
)
from workbench.areas.security.encryption.providers import LocalFile
from workbench.areas.security.leaks.ground import hunting_ground
from workbench.areas.security.leaks.hunting import hunt
from workbench.areas.security.leaks.model import Content, Marker, PlaceReader
from workbench.areas.security.leaks.postgres import PostgresGround
from workbench.engines.postgres import Binaries, Connection, embedded_binaries, installed_binaries
from workbench.errors import FeatureUnavailable
from workbench.sql import read, run

_BOOKS = {  # where a secret turns up, and who reads it there without any right to the values
    "settings": "reader",
    "pg_stat_activity": "monitor",
    "pg_stat_statements": "monitor",
    "server log": "who reads the log",
    "write-ahead log": "who has a backup or a replica",
}
_READ_BY = {"settings": "role_settings", "pg_stat_activity": "activity", "pg_stat_statements": "statements"}
_ROWS = 200
_FOLDER = "security/leaks/"
_SET = sql.SQL("set app.encryption_key = {}")
_SET_IN_A_BLOCK = sql.SQL("do $body$ begin perform set_config('app.encryption_key', {}, false); end $body$")


def pgcrypto_binaries() -> Binaries:
    """A server on this machine that has pgcrypto. Raises FeatureUnavailable where there is none."""
    for found in installed_binaries():
        if "pgcrypto" in found.extension_names:
            return found
    raise FeatureUnavailable(
        "pgcrypto",
        f"PostgreSQL {embedded_binaries().version}, embedded",
        hint="its build has no OpenSSL; install one that has it (apt-get install postgresql), "
        "or name its bin folder in WORKBENCH_POSTGRES_BIN",
    )


@dataclass
class _Notes:
    """The attempts of one design as they are made; every one is declared to be refused."""

    attempts: list[Attempt] = field(default_factory=list)

    def note(
        self,
        number: str,
        name: str,
        role: str,
        statement: str,
        observed: Observed,
        detail: str,
        sqlstate: str = "",
    ) -> None:
        self.attempts.append(
            Attempt(
                f"probe {number}: {name}, {role}",
                "probe",
                number,
                name,
                role,
                "",
                statement,
                "refused",
                observed,
                observed in ("refused", "nothing"),
                sqlstate=sqlstate,
                detail=detail,
            )
        )

    def refused(self, number: str, name: str, role: str, statement: str, exc: psycopg2.Error) -> None:
        said = str(exc).strip().splitlines()[0]
        self.note(number, name, role, statement, "refused", said, exc.pgcode or "")


def naive_probes() -> AttackRun:
    """The three probes of pgcrypto with its key in a setting; raises FeatureUnavailable without pgcrypto."""
    began = time.monotonic()
    notes = _Notes()
    value, key = f"ssn-{secrets.token_hex(10)}", f"key-{secrets.token_hex(10)}"
    markers = [
        Marker("value", value.encode(), "encrypt_ssn('…')"),
        Marker("key", key.encode(), "in a setting"),
    ]
    with hunting_ground(binaries=pgcrypto_binaries()) as ground, _superuser(ground) as conn:
        run(conn, [_FOLDER + "pgcrypto_naive.sql", _FOLDER + "probe_roles.sql"])
        database = sql.Identifier(ground.database)
        conn.execute(
            sql.SQL("alter database {} set app.encryption_key = {}").format(database, sql.Literal(key))
        )
        with _login(ground, "app") as app:
            run(app, [_FOLDER + "naive_insert.sql"], {"value": value, "rows": _ROWS})
            for each in (_SET_IN_A_BLOCK, _SET):  # one that pg_stat_statements keeps on 18, and on 15
                app.execute(each.format(sql.Literal(key)))
            _books(ground, notes, markers)
        _naive_decryption(ground, notes, value)
        with _superuser(ground) as owner:  # a session that began when the setting was there
            _naive_tampering(owner, notes, value)
        engine = ground.server.description
    return AttackRun("naive", engine, tuple(notes.attempts), time.monotonic() - began)


def sealed_probes(*, binaries: Binaries | None = None) -> AttackRun:
    """The same probes of values that the application has sealed, on any engine."""
    began = time.monotonic()
    notes = _Notes()
    value = f"ssn-{secrets.token_hex(10)}"
    with (
        tempfile.TemporaryDirectory() as folder,
        hunting_ground(binaries=binaries) as ground,
        _superuser(ground) as conn,
    ):
        run(conn, [_FOLDER + "sealed_people.sql", _FOLDER + "probe_roles.sql"])
        table = KeyTable(lambda: ground.server.session(ground.database))
        table.make()
        keyring = Keyring(table, LocalFile(Path(folder) / "keys.json"))
        cipher = ColumnCipher(keyring, "public", "people", "ssn")
        stored = cipher.encrypt_many((f"{value}{number}", number) for number in range(1, _ROWS + 1))
        with _login(ground, "app") as app:
            for number, each in enumerate(stored, 1):
                app.execute("insert into people (id, ssn) values (%s, %s)", [number, each])
            markers = [
                Marker("value", value.encode(), "sealed by the application"),
                Marker("key", keyring.sealing().material(), "wrapped"),
            ]
            _books(ground, notes, markers)
        _sealed_decryption(ground, notes, Path(folder), table)
        _sealed_tampering(conn, notes, cipher)
        engine = ground.server.description
    return AttackRun("hardened", engine, tuple(notes.attempts), time.monotonic() - began)


def _books(ground: PostgresGround, notes: _Notes, markers: Sequence[Marker]) -> None:
    """Probe 27: the key or a value read where the server writes things down."""
    with _superuser(ground) as conn:
        conn.execute("create extension if not exists pg_stat_statements")
    for place, role in _BOOKS.items():
        reader: PlaceReader
        if place in _READ_BY:
            statement, reader = _statement(_READ_BY[place]), partial(_as_role, ground, role, place)
        else:
            statement, reader = f"search of the {place}", ground.places()[place]
        seen = [each.marker for each in hunt({place: reader}, markers).leaks]
        notes.note(
            "27",
            f"secrets in {place}",
            role,
            statement,
            "reached" if seen else "nothing",
            f"found in clear: {' and '.join(seen)}" if seen else "neither the key nor a value",
        )


def _as_role(ground: PostgresGround, role: str, place: str) -> Content:
    with _login(ground, role) as conn:
        rows = conn.execute(read(f"{_FOLDER}{_READ_BY[place]}.sql")).fetchall()
    yield place, "\n".join(text or "" for (text,) in rows).encode()


def _naive_decryption(ground: PostgresGround, notes: _Notes, value: str) -> None:
    """Probe 28: a role that may not execute the decrypting function does without it."""
    for name, file in (
        ("the decrypting function", "naive_by_function"),
        ("pgcrypto without the function", "naive_without_function"),
    ):
        with _login(ground, "reader") as reader:
            answer = _answer(reader, file)
        if isinstance(answer, psycopg2.Error):
            notes.refused("28", name, "reader", _statement(file), answer)
            continue
        count = sum(text.startswith(value) for (text,) in answer)
        notes.note("28", name, "reader", _statement(file), "reached", f"{count} values read in clear")


def _naive_tampering(conn: Connection, notes: _Notes, value: str) -> None:
    """Probe 29: ciphertext moved to another row, changed by a bit, compared."""
    run(conn, [_FOLDER + "naive_move.sql", _FOLDER + "naive_raw.sql"])
    _tampered(conn, notes, "ciphertext of another row", "naive_read_moved", f"{value}2")
    _tampered(conn, notes, "one bit of pgp_sym_encrypt", "naive_flip")
    _tampered(conn, notes, "one bit of raw encrypt()", "naive_raw_flip")
    ((distinct, count),) = conn.execute(read(_FOLDER + "naive_raw_equal.sql")).fetchall()
    notes.note(
        "29",
        "equal values of raw encrypt()",
        "reader",
        _statement("naive_raw_equal"),
        "reached" if distinct < count else "nothing",
        f"{distinct} ciphertext of {count} equal values: who has the same value is seen",
    )


def _tampered(conn: Connection, notes: _Notes, name: str, file: str, shows: str | None = None) -> None:
    answer = _answer(conn, file)
    if isinstance(answer, psycopg2.Error):
        notes.refused("29", name, "app", _statement(file), answer)
        return
    ((text,),) = answer
    accepted = shows is None or text == shows
    detail = "accepted, and read as another row's value" if shows else "accepted, and read as another value"
    notes.note("29", name, "app", _statement(file), "reached" if accepted else "nothing", detail)


def _answer(conn: Connection, file: str) -> list[tuple[Any, ...]] | psycopg2.Error:
    try:
        return conn.execute(read(f"{_FOLDER}{file}.sql")).fetchall()
    except psycopg2.Error as exc:
        return exc


def _statement(file: str) -> str:
    """What the file sends, without its heading."""
    return read(f"{_FOLDER}{file}.sql").partition("\n")[2].strip()


def _sealed_decryption(ground: PostgresGround, notes: _Notes, folder: Path, table: KeyTable) -> None:
    """Probe 28: a reader asks for the keys; a superuser has them, wrapped, and no provider that unwraps."""
    with _login(ground, "reader") as reader:
        answer = _answer(reader, "sealed_keys")
    if isinstance(answer, psycopg2.Error):
        notes.refused("28", "the wrapped keys", "reader", _statement("sealed_keys"), answer)
    else:
        detail = f"{len(answer)} wrapped keys read"
        notes.note("28", "the wrapped keys", "reader", _statement("sealed_keys"), "reached", detail)
    thief = ColumnCipher(Keyring(table, LocalFile(folder / "another.json")), "public", "people", "ssn")
    with _superuser(ground) as conn:
        rows = conn.execute(read(_FOLDER + "sealed_read.sql")).fetchall()
    opened = sum(_opens(thief, stored, number) for number, stored in rows)
    notes.note(
        "28",
        "all of the database but the key provider",
        "superuser",
        _statement("sealed_read"),
        "reached" if opened else "nothing",
        f"{opened} of {len(rows)} values opened",
    )


def _sealed_tampering(conn: Connection, notes: _Notes, cipher: ColumnCipher) -> None:
    """Probe 29, of ours: every bit of a value is changed in turn."""
    run(conn, [_FOLDER + "sealed_move.sql"])
    values = dict(conn.execute(read(_FOLDER + "sealed_read.sql")).fetchall())
    _tried(notes, "ciphertext of another row", [_opens(cipher, values[1], 1)])
    _tried(notes, "one bit of a value", [_opens(cipher, each, 3) for each in _one_bit_off(bytes(values[3]))])
    same = {cipher.encrypt("the same", 4) for _ in range(_ROWS)}
    notes.note(
        "29",
        "equal values",
        "reader",
        _statement("sealed_read"),
        "nothing" if len(same) == _ROWS else "reached",
        f"{len(same)} different ciphertexts of {_ROWS} equal values",
    )


def _tried(notes: _Notes, name: str, opened: Sequence[bool]) -> None:
    detail = f"{sum(opened)} of {len(opened)} accepted"
    notes.note("29", name, "app", _statement("sealed_read"), "reached" if any(opened) else "refused", detail)


def _one_bit_off(stored: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(stored)):
        changed = bytearray(stored)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def _opens(cipher: ColumnCipher, stored: bytes, row: int) -> bool:
    try:
        cipher.decrypt(stored, row)
    except EncryptionError:
        return False
    return True


def _superuser(ground: PostgresGround) -> contextlib.AbstractContextManager[Connection]:
    return ground.server.session(ground.database)


def _login(ground: PostgresGround, role: str) -> contextlib.AbstractContextManager[Connection]:
    return ground.server.session(ground.database, user=role)
