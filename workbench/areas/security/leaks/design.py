"""The hunt on a design: labelled values in the audit trail, the tokens' key in the server's books."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

import psycopg2
from psycopg2 import sql

from workbench.areas.security.audit import audited_tables, hidden_columns
from workbench.areas.security.design import (
    TokenKey,
    apply_design,
    design_of,
    install_token_key,
    new_key,
    read_found,
)
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.leaks.hunting import hunt
from workbench.areas.security.leaks.model import Hunt, Marker, Places
from workbench.areas.security.leaks.postgres import PostgresGround
from workbench.areas.security.trial import Place, place_copy
from workbench.catalog.model import Column, Table, qualified
from workbench.engines.postgres import Connection, Server
from workbench.errors import BadInput
from workbench.sql import read

_TEXT = ("text", "character varying", "citext")
_TALKATIVE = ("log_statement = 'all'", "log_min_duration_statement = 0")
# the tokens' key is kept in a table, for the server must compute with it: it is there, and in copies of it
_KEPT = frozenset({"dump", "write-ahead log", "heap files", "statistics"})
_BOOKS = ("server log", "pg_stat_statements", "pg_stat_activity", "settings", "audit trail")


def design_hunt(place: Place, intent: Intent) -> Hunt:
    """Apply the design of *intent* to a copy of *place*, write a marker into every labelled column, and look.

    No marker of a column that its label hides may be in the audit trail, where one of a column without a
    label must be; the key of the tokens may be in no log, statistics or trail. A column that takes no marker
    is in `Hunt.left_out`. Raises BadInput for an intent without an audit.
    """
    if intent.audit is None:
        raise BadInput(f"the intent {intent.name} has no audit: there is no trail to hunt in")
    with _every_statement_logged(place.server), place_copy(place, "hunt") as database:
        key = new_key("hunted")
        with contextlib.closing(place.connect(database)) as conn:
            apply_design(conn, design_of(intent, place.catalog, read_found(conn)))
            if intent.identity is not None:
                install_token_key(conn, key, intent=intent)
        ground = PostgresGround(
            place.server, database, place.data, place.log, audit_schema=intent.audit.schema
        )
        with place.server.session(database) as conn:
            conn.execute("create extension if not exists pg_stat_statements")
            markers, refused = _planted(conn, intent, place)
            talk = _talked(conn, database)
            places = ground.places()
            found = hunt(
                {name: places[name] for name in _BOOKS},
                [*markers, talk, *(_pads(key) if intent.identity else ())],
                engine=place.server.description,
            )
        with_key = _key_is_in_its_table(places, key) if intent.identity else ()
    return replace(found, left_out=(*found.left_out, *refused, *with_key))


def _planted(conn: Connection, intent: Intent, place: Place) -> tuple[list[Marker], list[str]]:
    """A marker in every text column of the audited tables, and the columns that took none."""
    markers, refused = [], []
    for table in audited_tables(intent, place.catalog):
        hidden = hidden_columns(intent, place.catalog, (table.schema, table.name))
        for column in table.columns:
            is_hidden = column.name in (*hidden.redacted, *hidden.omitted)
            title = qualified(table.schema, table.name, column.name)
            if not _takes_text(table, column):
                if is_hidden:
                    refused.append(f"{title}: takes no marker, for it is {column.type} or in a key")
                continue
            word = _plant(conn, table, column.name)
            if word is None:
                if is_hidden:
                    refused.append(f"{title}: no row, or its rules refuse a marker")
            elif is_hidden:
                elsewhere = frozenset(_BOOKS) - {"audit trail"}
                markers.append(
                    Marker(title, word.encode(), "in a column that its label hides", may_be_in=elsewhere)
                )
            else:
                in_trail = frozenset({"audit trail"})
                markers.append(Marker(title, word.encode(), "in a column without a label", in_trail))
    return markers, refused


def _takes_text(table: Table, column: Column) -> bool:
    in_key = table.primary_key is not None and column.name in table.primary_key.columns
    return column.base_type in _TEXT and not column.generated and not in_key


def _plant(conn: Connection, table: Table, column: str) -> str | None:
    """The marker that *column* took, in some row; None where there is none, or a rule refuses it."""
    if table.primary_key is None:
        return None
    word, digits = f"m{secrets.token_hex(9)}", f"1{secrets.randbelow(10**10):010d}1"
    key = [sql.Identifier(name) for name in table.primary_key.columns]
    statement = sql.SQL(read("security/leaks/planted_in_column.sql")).format(
        table=sql.Identifier(table.schema, table.name),
        column=sql.Identifier(column),
        key=sql.SQL(", ").join(key),
        same_row=sql.SQL(" and ").join(sql.SQL("t.{0} = first_row.{0}").format(name) for name in key),
    )
    for secret, form in (
        (word, "{}"),
        (word, "{}@example.org"),
        (word, "https://example.org/{}"),
        (digits, "+{}"),
    ):
        with contextlib.suppress(psycopg2.Error):
            if conn.execute(statement, {"marker": form.format(secret)}).rowcount:
                # changed once more: a trail may keep what was before a change, and not what came of it
                conn.execute(statement, {"marker": form.format(secret[::-1])})
                return secret
    return None


def _talked(conn: Connection, database: str) -> Marker:
    """A control of the books: a secret in statements, as it must not be sent."""
    word = f"spoken-{secrets.token_hex(10)}"
    kept = "alter database {} set app.spoken = {}"
    conn.execute(sql.SQL(kept).format(sql.Identifier(database), sql.Literal(word)))
    block = "do $body$ begin perform pg_catalog.set_config('app.spoken', {}, false); end $body$"
    conn.execute(sql.SQL(block).format(sql.Literal(word)))
    return Marker(
        "spoken key",
        word.encode(),
        "sent in a statement, and kept in a setting",
        frozenset(_BOOKS) - {"audit trail"},
    )


def _pads(key: TokenKey) -> list[Marker]:
    """The key and the two pads of HMAC that the server keeps of it (RFC 2104)."""
    padded = key.secret.ljust(64, b"\0")
    planted = "installed by COPY"
    return [
        Marker("token key", key.secret, planted),
        Marker("token key's inner pad", bytes(byte ^ 0x36 for byte in padded), planted),
        Marker("token key's outer pad", bytes(byte ^ 0x5C for byte in padded), planted),
    ]


def _key_is_in_its_table(places: Places, key: TokenKey) -> Sequence[str]:
    """Where the pads are, and must be: told, not proved absent."""
    kept = [replace(each, must_be_in=_KEPT) for each in _pads(key)[1:]]
    found = hunt({name: places[name] for name in sorted(_KEPT)}, kept)
    where = sorted({each.place for each in found.sightings if each.found})
    return (f"the tokens' key is kept for the server to compute with: it is in {', '.join(where)}",)


@contextlib.contextmanager
def _every_statement_logged(server: Server) -> Iterator[None]:
    """The private server logs every statement, for the time of the block."""
    with server.session() as conn:
        for setting in _TALKATIVE:
            conn.execute(sql.SQL("alter system set {}").format(sql.SQL(setting)))
        conn.execute("select pg_catalog.pg_reload_conf()")
        try:
            yield
        finally:
            for setting in _TALKATIVE:
                name = sql.Identifier(setting.split()[0])
                conn.execute(sql.SQL("alter system reset {}").format(name))
            conn.execute("select pg_catalog.pg_reload_conf()")
