"""Statements of an attacker, sent for real and taken back, with what the server said to them."""

from __future__ import annotations

import collections
import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg2
from psycopg2 import sql

from workbench.areas.security.attacks.model import Attempt, Declared, Observed
from workbench.areas.security.intent.model import TableName
from workbench.areas.security.trial.model import Target
from workbench.engines.postgres import Connection, Server
from workbench.sql import read

TOKEN_SETTING = "app.token"  # noqa: S105 - the name of a setting
GUESSED_SETTINGS = ("app.current_user_id", "app.user_id", "app.tenant_id", "app.current_tenant")
IDENTITY_SETTINGS = (*GUESSED_SETTINGS, TOKEN_SETTING)
_FOLDER = "security/attacks/probes/"
_MARK = "-- statement: "
# refusals by privilege or policy; 0A000 is COPY FROM under row security, 2F003 dblink without a password
_REFUSALS = frozenset({"42501", "0A000", "2F003", "28000", "28P01", "38003"})
WRITTEN_BY_NOBODY = frozenset({"428C9"})  # a column that is GENERATED ALWAYS
_LONGEST = 400
_MOST_NOTICES = 100_000


@cache
def _statements(file: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for piece in read(_FOLDER + file + ".sql").split(_MARK)[1:]:
        name, _, text = piece.partition("\n")
        found[name.strip()] = text.strip().rstrip(";")
    return found


def statement(name: str, /, **parts: sql.Composable) -> sql.Composed:
    """The statement *name*, ``file.statement``, with its placeholders filled in.

    Of one that is sent with values a percent sign in a name or a literal is doubled, as it is in the files.
    """
    file, _, within = name.partition(".")
    text = _statements(file)[within]
    if _takes_values(name):
        parts = {each: _doubled(part) for each, part in parts.items()}
    return sql.SQL(text).format(**parts)


def _takes_values(name: str) -> bool:
    file, _, within = name.partition(".")
    text = _statements(file)[within]
    return "%(" in text or "%%" in text


def _doubled(part: sql.Composable) -> sql.Composable:
    if isinstance(part, sql.Composed):
        return sql.Composed([_doubled(each) for each in part.seq])
    if isinstance(part, sql.Identifier):
        return sql.Identifier(*(each.replace("%", "%%") for each in part.strings))
    if isinstance(part, sql.Literal):
        values = part.wrapped if isinstance(part.wrapped, list) else [part.wrapped]
        plain = [each.replace("%", "%%") if isinstance(each, str) else each for each in values]
        return sql.Literal(plain if isinstance(part.wrapped, list) else plain[0])
    return part  # SQL of the files, which doubles its own


@dataclass(frozen=True)
class Sent:
    """What was sent and what came back. *sqlstate* is empty where the server accepted it."""

    text: str
    sqlstate: str = ""
    message: str = ""
    rows: tuple[tuple[Any, ...], ...] = ()
    rowcount: int = 0
    notices: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return not self.sqlstate

    @property
    def lacks_privilege(self) -> bool:
        """Whether the server's own privileges ended it, and not a trigger that raises the same SQLSTATE."""
        return self.sqlstate == "42501" and self.message.startswith(("permission denied", "must be "))

    @property
    def value(self) -> Any:
        """The first column of the first row; None where there is none."""
        return self.rows[0][0] if self.rows else None


def identity_settings(target: Target) -> tuple[str, ...]:
    """The settings in which a session of *target* could say for whom it acts."""
    return tuple(dict.fromkeys((*IDENTITY_SETTINGS, *target.settings)))


@dataclass
class Session:
    """One transaction that is rolled back. A statement that fails does not end it."""

    target: Target
    conn: Connection

    def send(self, query: sql.Composable | str, parameters: Mapping[str, Any] | None = None) -> Sent:
        """What the server said to *query*; never raises what the server raised."""
        self.conn.execute("savepoint before_attempt")
        return self._answer(query, parameters, within=True)

    def run(self, name: str, parameters: Mapping[str, Any] | None = None, /, **parts: sql.Composable) -> Sent:
        """`send` of the statement *name* of the SQL files."""
        values = (parameters or {}) if _takes_values(name) else None
        return self.send(statement(name, **parts), values)

    def copy_in(self, query: sql.Composable, lines: str) -> Sent:
        """`send` of a COPY FROM STDIN with *lines* as its rows."""
        text = query.as_string(self.conn)
        self.conn.execute("savepoint before_attempt")
        with self.conn.cursor() as cur:
            try:
                cur.copy_expert(text, io.StringIO(lines))
            except psycopg2.Error as exc:
                self.conn.execute("rollback to savepoint before_attempt")
                return Sent(text, exc.pgcode or "?????", self._shown(_first_line(exc)))
            return Sent(text, rowcount=cur.rowcount)

    def copy_out(self, query: sql.Composable) -> Sent:
        """`send` of a COPY TO STDOUT; each line is a row of one value."""
        text, lines = query.as_string(self.conn), io.StringIO()
        self.conn.execute("savepoint before_attempt")
        with self.conn.cursor() as cur:
            try:
                cur.copy_expert(text, lines)
            except psycopg2.Error as exc:
                self.conn.execute("rollback to savepoint before_attempt")
                return Sent(text, exc.pgcode or "?????", self._shown(_first_line(exc)))
        found = tuple((line,) for line in lines.getvalue().splitlines())
        return Sent(text, rows=found, rowcount=len(found))

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """What is sent within the block is taken back at its end, a change of role too."""
        self.conn.execute("savepoint before_block")
        yield
        self.conn.execute("rollback to savepoint before_block")

    def become(self, role: str, identity: str | None = None, *, assume: bool = True) -> None:
        """From here on the session is one of *role* for *identity*; only in a superuser's session.

        What proves the identity may be good for its own role alone, so it comes from a connection of *role*.
        """
        self.back()
        self.conn.execute(statement("common.become", role=sql.Identifier(role)))
        if not assume:
            return
        settings = identity_settings(self.target)
        values: tuple[str | None, ...] = (None,) * len(settings)
        if identity is not None:
            with contextlib.closing(self.target.connect(role, identity)) as conn:
                values = tuple(
                    conn.execute(statement("rows.current_setting"), {"setting": each}).fetchone()[0]  # type: ignore[index]
                    for each in settings
                )
        for setting, value in zip(settings, values, strict=True):
            if value or setting in IDENTITY_SETTINGS:  # of others it may matter that they were never set
                self.conn.execute(statement("rows.setting"), {"setting": setting, "value": value or ""})

    def back(self) -> None:
        """The session is the superuser's again."""
        self.conn.execute(statement("common.back"))

    def _shown(self, text: str) -> str:
        """*text* as it is in every run: the names of scratch databases and sockets are not."""
        for name, shown in (
            (self.target.database, "target_database"),
            (self.target.place.server.host, "socket"),
        ):
            text = text.replace(name, shown)
        return text

    def _answer(
        self, query: sql.Composable | str, parameters: Mapping[str, Any] | None, *, within: bool
    ) -> Sent:
        self.conn.notices = collections.deque(maxlen=_MOST_NOTICES)  # type: ignore[assignment]  # a list keeps 50
        with self.conn.cursor() as cur:
            try:
                cur.execute(query, parameters)
            except psycopg2.Error as exc:
                text = self._shown(_text_of(cur, query, self.conn))
                if within:
                    self.conn.execute("rollback to savepoint before_attempt")
                return Sent(
                    text,
                    exc.pgcode or "?????",
                    self._shown(_first_line(exc)),
                    notices=tuple(self.conn.notices),
                )
            rows = tuple(cur.fetchall()) if cur.description else ()
            return Sent(
                self._shown(_text_of(cur, query, self.conn)),
                rows=rows,
                rowcount=cur.rowcount,
                notices=tuple(self.conn.notices),
            )


def _first_line(exc: psycopg2.Error) -> str:
    return next(iter(str(exc).strip().splitlines()), "")


def _text_of(cur: psycopg2.extensions.cursor, query: sql.Composable | str, conn: Connection) -> str:
    sent = cur.query.decode(errors="replace") if cur.query else ""
    text = sent or (query if isinstance(query, str) else query.as_string(conn))
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else words[:_LONGEST] + " …"


@contextlib.contextmanager
def attacking(target: Target, role: str, identity: str | None = None) -> Iterator[Session]:
    """A transaction on a fresh connection of *role* that acts for *identity*, rolled back after the block."""
    with contextlib.closing(target.connect(role, identity)) as conn:
        conn.execute("begin")
        conn.execute("set local client_min_messages = notice")  # some probes tell by one
        yield Session(target, conn)
        conn.execute("rollback")


@contextlib.contextmanager
def staged(target: Target) -> Iterator[Session]:
    """A superuser's transaction in which owner and attacker act in turn (`become`), rolled back.

    So an attacker can meet what an owner makes, and neither is there afterwards.
    """
    with target.place.server.session(target.database) as conn:
        conn.execute("begin")
        conn.execute("set local client_min_messages = notice")  # some probes tell by one
        session = Session(target, conn)
        yield session
        conn.execute("rollback")


def send_alone(server: Server, database: str, role: str, query: sql.Composable | str) -> Sent:
    """What the server said to *query* outside of a transaction block, on a connection of *role*."""
    with server.session(database, user=role) as conn:
        cur = conn.cursor()
        text = query if isinstance(query, str) else query.as_string(conn)
        try:
            cur.execute(query)
        except psycopg2.Error as exc:
            return Sent(text, exc.pgcode or "?????", _first_line(exc))
        return Sent(text, rowcount=cur.rowcount)


def observed_in(sent: Sent, *, reached: bool) -> Observed:
    """How an attempt ended whose last statement was *sent*."""
    if reached:
        return "reached"
    if sent.accepted:
        return "nothing"
    if sent.sqlstate in _REFUSALS:
        return "refused"
    return "stopped" if sent.sqlstate[:2] in ("23", "P0", "25", "55") else "failed"


def attempt(
    number: str,
    name: str,
    role: str,
    sent: Sent,
    *,
    reached: bool,
    declared: Declared = "refused",
    identity: str = "A",
    table: TableName | None = None,
    operation: str = "",
    row: str = "",
    rows: int | None = None,
    detail: str = "",
    closed_by_constraint: bool = False,
    expected: frozenset[str] = frozenset(),
) -> Attempt:
    """The attempt as it ended. *reached* says whether the attacker got what the probe is after.

    A constraint that ends it counts as a refusal only where *closed_by_constraint*, since it says that
    security let the attempt pass; SQLSTATEs in *expected* are refusals of this probe alone.
    """
    observed = observed_in(sent, reached=reached)
    if not reached and sent.sqlstate in expected:
        observed = "refused"
    closed = {"nothing", "refused"} | ({"stopped"} if closed_by_constraint else set())
    fits = {
        "allowed": observed == "reached",
        "refused": observed in closed,
        "residual": observed != "failed",
    }[declared]
    where = f" {'.'.join(table)}" if table else ""
    return Attempt(
        key=f"probe {number}: {name}, {role}{where}",
        group="probe",
        number=number,
        name=name,
        role=role,
        identity=identity,
        statement=sent.text,
        declared=declared,
        observed=observed,
        as_declared=fits,
        table=table,
        operation=operation,
        row=row,
        sqlstate=sent.sqlstate,
        rows=rows,
        detail=detail or sent.message,
    )
