"""``%load_ext workbench.magics``: ipython-sql's ``%sql``, with failures that fail.

ipython-sql 0.5.0 prints the errors of a server instead of raising them, goes on with the former
connection when a new one fails, commits after every statement (no VACUUM, no CREATE DATABASE), shows
connection strings, and quotes the notebook's whole namespace when a bind is not defined. Here a
statement that fails fails its cell, connections are in autocommit mode, and neither a password nor
the namespace is ever shown.

What a notebook may write is as it was: ``%sql``, ``%%sql``, binds (``:n``), text (``{n}``, ``$n``),
``rows << select …``, ``--persist``, ``--file``, ``--connections``, ``--close``, ``rows.DataFrame()``,
``%config SqlMagic.…``.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import numpy as np
import pandas as pd
import prettytable
import psycopg2
import psycopg2.extensions
import sql.connection
import sql.magic
import sql.parse
import sql.run
import sqlalchemy
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import cell_magic, line_magic, magics_class, needs_local_scope, no_var_expand
from IPython.core.magic_arguments import parse_argstring
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from traitlets import Bool, Int

from workbench.errors import BadInput, SourceUnreachable, WorkbenchError
from workbench.script.lexer import Lexer, MetaCommand, Statement
from workbench.source import ENCODED_URL

DISPLAY_LIMIT = 100
_POSTGRESQL = re.compile(r"(postgres|postgresql|postgresql\+psycopg2)://", re.IGNORECASE)
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_HIDDEN = "***"

# what SQLAlchemy's text() takes for a bind or for an escaped colon, wherever it stands
_COLON = re.compile(r"(?<![:\w\\]):[\w$]+(?![:\w$])|\\:[\w$]*(?![:\w$])")
_BIND = re.compile(r"(?<![:\w\\]):(?P<name>[A-Za-z_]\w*)(?=::|(?![:\w$]))")
_BRACES = re.compile(r"\{(?P<expression>[^{}]+)\}")
_DOLLAR = re.compile(r"(?<![\w$])\$(?P<expression>[A-Za-z_]\w*)(?![\w$])")


# neither is typed
_ipython_sql: Any = sql
_parse_options: Any = parse_argstring


class _Plain(WorkbenchError):
    """An error whose message is all that a notebook shows: no frame, and so no value of a variable."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class StatementFailed(_Plain):
    """The server refused a statement; the message is the server's."""


class ConnectionFailed(_Plain, SourceUnreachable):
    """No connection could be made to the named database."""


class BadStatement(_Plain, BadInput):
    """``%sql`` was asked for something that it cannot do; nothing was sent to the server."""


def connect_sql(
    url: str, *, read_only: bool = False, password: str | None = None, timeout_s: float = 300.0
) -> None:
    """Make *url* the connection that ``%sql`` uses, in place of the former one.

    *password* is for a URL from which it was taken. With *read_only* every transaction is READ ONLY and
    a statement may take *timeout_s* seconds. Raises ConnectionFailed, BadInput.
    """
    if not _URL.match(url):
        raise BadStatement("this is not a database's URL: write postgresql://user@host:port/database")
    if not ENCODED_URL.fullmatch(url):
        # where a password ends is a guess then, so nothing of it is repeated
        raise BadStatement(
            "the URL has a character that must be percent-encoded in a user, a password or a name: "
            "write @ as %40, / as %2F, ? as %3F, # as %23"
        )
    try:
        if _POSTGRESQL.match(url):
            connection = _postgresql(url, password, read_only, timeout_s)
        else:
            connection = _other(url)
    except (psycopg2.Error, DBAPIError) as exc:
        reason = exc.orig if isinstance(exc, DBAPIError) else exc
        words = _without(
            " ".join(str(reason).split()), [*([password] if password else []), *_secrets_of(url)]
        )
        raise ConnectionFailed(f"{_shown(url)}: {words}") from None
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        raise BadStatement(
            f"{_shown(url)} names no database that can be reached from here: "
            "write postgresql://user@host:port/database"
        ) from None
    _register(connection)


class _Connection(sql.connection.Connection):
    """A connection in ipython-sql's register; *url* is what may be shown of it."""

    def __init__(self, engine: sqlalchemy.Engine, url: sqlalchemy.URL) -> None:
        self.url = url
        self.dialect = engine.url.get_dialect()
        self.name = f"{url.username or ''}@{url.database or ''}"
        self.connect_args: dict[str, Any] = {}
        self.internal_connection = engine.connect()

    def end(self) -> None:
        """Close the session on the server."""
        self.internal_connection.close()
        self.internal_connection.engine.dispose()


def _postgresql(url: str, password: str | None, read_only: bool, timeout_s: float) -> _Connection:
    # libpq reads the URL, so that sockets, services and percent-encoded names mean what they mean to psql
    try:
        parts = psycopg2.extensions.parse_dsn("postgresql" + url[url.index("://") :])
    except psycopg2.ProgrammingError as exc:
        raise ValueError from exc
    if password is not None:
        parts["password"] = password

    def connect() -> psycopg2.extensions.connection:
        settings = {"application_name": "workbench", "connect_timeout": "10", **parts}
        conn = psycopg2.connect(psycopg2.extensions.make_dsn(**settings))
        conn.set_session(autocommit=True, readonly=True if read_only else None)
        if read_only:
            with conn.cursor() as cur:
                cur.execute(
                    "select pg_catalog.set_config('default_transaction_read_only', 'on', false),"
                    " pg_catalog.set_config('statement_timeout', %s, false),"
                    " pg_catalog.set_config('lock_timeout', '2s', false)",
                    [f"{int(timeout_s * 1000)}ms"],
                )
        return conn

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg2://", creator=connect, isolation_level="AUTOCOMMIT", hide_parameters=True
    )
    shown = sqlalchemy.URL.create(
        "postgresql",
        username=parts.get("user"),
        host=parts.get("host"),
        port=int(parts["port"]) if parts.get("port", "").isdecimal() else None,
        database=parts.get("dbname"),
    )
    return _Connection(engine, shown)


def _other(url: str, connect_args: Mapping[str, Any] | None = None, creator: Any = None) -> _Connection:
    options: dict[str, Any] = {"creator": creator} if creator else {}
    engine = sqlalchemy.create_engine(
        url,
        connect_args=dict(connect_args or {}),
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
        **options,
    )
    return _Connection(engine, engine.url.set(password=None))


def _register(connection: _Connection) -> None:
    register = _ipython_sql.connection.Connection
    former = register.connections.get(repr(connection.url))
    if isinstance(former, _Connection):
        former.end()
    register.connections[repr(connection.url)] = connection
    register.current = connection


def _secrets_of(url: str) -> list[str]:
    """What in *url* must never be shown, as it is written there and as it reads, the longest first."""
    written = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    found = [written, unquote(written)]
    with contextlib.suppress(ValueError):
        found += [value for name, value in parse_qsl(urlsplit(url).query) if name in _SECRETS]
    return sorted({secret for secret in found if secret}, key=len, reverse=True)


def _shown(url: str) -> str:
    """*url* without its secrets, fit for a message."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://{_HIDDEN}"
    login, at, place = parts.netloc.rpartition("@")
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name not in _SECRETS])
    return urlunsplit((parts.scheme, login.partition(":")[0] + at + place, parts.path, query, ""))


def _without(message: str, secrets: list[str]) -> str:
    for secret in secrets:
        message = message.replace(secret, _HIDDEN)
    return message


class Rows(sql.run.ResultSet):
    """The rows of a statement: a list, a table in HTML and in plain text, a DataFrame."""

    def __init__(self, result: Any, config: SqlMagic) -> None:
        super().__init__(result, config)  # type: ignore[no-untyped-call]

    def DataFrame(self) -> pd.DataFrame:  # noqa: N802 - ipython-sql's name
        """The rows as a DataFrame, which has its columns also where there are no rows."""
        return pd.DataFrame([tuple(row) for row in self], columns=list(self.keys or ()))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


@magics_class
class SqlMagic(sql.magic.SqlMagic):
    """``%sql`` and ``%%sql``; named as ipython-sql names it, for ``%config SqlMagic``."""

    shell: Any

    displaycon = Bool(False, config=True, help="Show the name of the connection before each result")
    short_errors = Bool(False, config=True, help="Print the server's error and go on, instead of raising it")
    displaylimit = Int(DISPLAY_LIMIT, config=True, allow_none=True, help="Rows shown; all are kept")

    @needs_local_scope
    @no_var_expand
    @line_magic("sql")
    @cell_magic("sql")  # type: ignore[arg-type]
    def execute(self, line: str = "", cell: str = "", local_ns: dict[str, Any] | None = None) -> Any:
        """Run SQL: ``%sql [options] [URL or name of a connection] [variable <<] statements``."""
        namespace = {**self.shell.user_ns, **(local_ns or {})}
        options, text = self._options(line, cell)
        if options is not None and options.connections:
            return {name: conn.name for name, conn in sql.connection.Connection.connections.items()}
        if options is not None and options.close:
            return self._close(options.close)
        if options is not None and options.file:
            text = Path(options.file).read_text(encoding="utf-8") + "\n" + text
        text, variable = self._connect(text, options, namespace)
        connection = self._current()
        if options is not None and (options.persist or options.append):
            return self._persist(text, connection, namespace, append=options.append)
        try:
            rows = self._run(connection, _expanded(text, namespace), namespace)
        except StatementFailed as exc:
            if not self.short_errors:
                raise
            print(exc)  # noqa: T201 - what short_errors asks for
            return None
        return self._returned(rows, variable)

    def _options(self, line: str, cell: str) -> tuple[Any, str]:
        """The options that begin *line*, None where it begins with SQL or a comment, and what follows."""
        known = _ipython_sql.parse._option_strings_from_parser(_ipython_sql.magic.SqlMagic.execute.parser)
        words = line.split(None, 1)
        if not words or words[0].partition("=")[0] not in known:
            return None, f"{line}\n{cell}"
        options = _parse_options(_ipython_sql.magic.SqlMagic.execute, line)
        return options, " ".join(options.line) + "\n" + cell

    def _connect(self, text: str, options: Any, namespace: Mapping[str, Any]) -> tuple[str, str | None]:
        """Connect where *text* begins with a URL or a connection's name; what is left of it, and ``x <<``."""
        if options is not None and options.section:
            url = _ipython_sql.parse.connection_from_dsn_section(options.section, self)
            connect_sql(url.render_as_string(hide_password=False))
        elif (words := text.split(None, 1)) and _names_connection(words[0]):
            text = words[1] if len(words) > 1 else ""
            self._use(_expanded(os.path.expandvars(words[0]), namespace), options, namespace)
        assigned = re.match(r"\s*([A-Za-z_]\w*)\s+<<(?:\s+|$)", text)
        return (text[assigned.end() :], assigned[1]) if assigned else (text, None)

    def _use(self, target: str, options: Any, namespace: Mapping[str, Any]) -> None:
        register = _ipython_sql.connection.Connection
        if "://" not in target:
            register.current = _registered(target)
        elif options is not None and (options.creator or options.connection_arguments):
            arguments = json.loads(
                shlex.split(options.connection_arguments or "{}", posix=False)[0].strip("'")
            )
            _register(_other(target, arguments, namespace[options.creator] if options.creator else None))
        else:
            connect_sql(target)

    def _current(self) -> Any:
        register = _ipython_sql.connection.Connection
        if register.current is None:
            if not (url := os.environ.get("DATABASE_URL")):
                raise BadStatement(
                    "%sql has no connection: call workbench.magics.connect_sql(source.sql_url), "
                    "or write %sql postgresql://user@host:port/database"
                )
            connect_sql(url)
        if self.displaycon:
            print(f" * {register.current.name}")  # noqa: T201 - what displaycon asks for
        return register.current

    def _close(self, name: str) -> None:
        register = _ipython_sql.connection.Connection
        connection = _registered(name)
        register.connections = {
            key: conn for key, conn in register.connections.items() if conn is not connection
        }
        if register.current is connection:
            register.current = None
        connection.end()

    def _persist(self, text: str, connection: Any, namespace: dict[str, Any], *, append: bool) -> str:
        with _plain_errors():
            return str(
                _ipython_sql.magic.SqlMagic._persist_dataframe(
                    self, text.strip(), connection, namespace, append
                )
            )

    def _run(self, connection: Any, text: str, namespace: Mapping[str, Any]) -> Rows | None:
        """The rows of the last statement of *text*; None where it returns none."""
        rows = None
        prepared = [_prepared(statement, namespace) for statement in _statements(text)]
        for statement, values in prepared:
            with _plain_errors(quote=not values):
                connection.internal_connection.rollback()  # where the last one failed
                result = connection.internal_connection.execute(statement, values)
                rows = Rows(result, self) if result.returns_rows else None
            if self.feedback and rows is None:
                print(_ipython_sql.run.interpret_rowcount(result.rowcount))  # noqa: T201
        return rows

    def _returned(self, rows: Rows | None, variable: str | None) -> Any:
        if rows is not None and self.column_local_vars:
            self.shell.user_ns.update(dict(zip(rows.field_names, zip(*rows, strict=True), strict=False)))
            return None
        shown = rows.DataFrame() if rows is not None and self.autopandas else rows
        if variable is None:
            return shown
        self.shell.user_ns[variable] = shown
        return None


@contextlib.contextmanager
def _plain_errors(*, quote: bool = True) -> Iterator[None]:
    """Turns SQLAlchemy's errors into StatementFailed; without *quote* the statement is not quoted.

    The server quotes the line with the values that were put into it.
    """
    try:
        yield
    except DBAPIError as exc:
        message = str(exc.orig).strip()
        if not quote and isinstance(exc.orig, psycopg2.Error) and exc.orig.diag.message_primary:
            told = exc.orig.diag
            message = "\n".join(filter(None, (told.message_primary, told.message_detail, told.message_hint)))
        raise StatementFailed(f"{type(exc.orig).__name__}: {message}") from None
    except SQLAlchemyError as exc:
        raise StatementFailed(" ".join(str(exc).split())) from None


def _names_connection(word: str) -> bool:
    return (
        bool(_URL.match(word))
        or re.fullmatch(r"\$\w+|\$\{\w+\}|\{\w+\}|[^\s'\"(]*@[^\s'\"()]*", word) is not None
    )


def _registered(name: str) -> Any:
    """The connection called *name* (user@database, or its URL as ``--connections`` shows it)."""
    for key, connection in sql.connection.Connection.connections.items():
        if name in (key, connection.name):
            return connection
    known = ", ".join(sorted(conn.name for conn in sql.connection.Connection.connections.values()))
    # a mistyped URL may be in the name's place, so the name is not repeated
    raise BadStatement(f"this is no open connection and no URL: the open ones are {known or 'none'}")


def _statements(text: str) -> Iterator[Statement]:
    for item in Lexer(text).items():
        if isinstance(item, MetaCommand):
            raise BadStatement(f"\\{item.name} is a command of psql: %sql takes SQL alone")
        yield item


def _prepared(
    statement: Statement, namespace: Mapping[str, Any]
) -> tuple[sqlalchemy.TextClause, dict[str, Any]]:
    parsed = _with_binds(statement)
    return parsed, _values(parsed, namespace)


def _with_binds(statement: Statement) -> sqlalchemy.TextClause:
    """*statement* for SQLAlchemy; a colon in a string, a comment, a slice or a cast is no bind."""
    text, code, pieces, at = statement.text, statement.code, [], 0
    for bind in _BIND.finditer(code, 0, len(text)):
        pieces += [_literal_colons(text[at : bind.start()], code[at : bind.start()]), f":{bind['name']} "]
        at = bind.end()
    return sqlalchemy.text("".join([*pieces, _literal_colons(text[at:], code[at:])]))


def _literal_colons(text: str, code: str) -> str:
    def escaped(found: re.Match[str]) -> str:
        # outside of strings \: is the user's own way to write a plain colon
        return found[0] if code[found.start() : found.start() + 2] == " :" else "\\" + found[0]

    return _COLON.sub(escaped, text)


def _values(statement: sqlalchemy.TextClause, namespace: Mapping[str, Any]) -> dict[str, Any]:
    names = list(statement.compile().params)
    if missing := [name for name in names if name not in namespace]:
        raise BadStatement(
            f":{missing[0]} is not defined in this notebook: assign {missing[0]} first, "
            rf"or write \:{missing[0]} for a plain colon"
        )
    return {name: _plain_value(namespace[name]) for name in names}


def _plain_value(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def _expanded(text: str, namespace: Mapping[str, Any]) -> str:
    """*text* with ``{expression}`` and ``$name`` replaced, where every name in them is defined."""

    def value(found: re.Match[str]) -> str:
        expression = found["expression"]
        if not _is_defined(expression, namespace):
            return found[0]
        return str(eval(expression, {"__builtins__": {}}, dict(namespace)))  # noqa: S307 - the notebook's own code

    return _DOLLAR.sub(value, _BRACES.sub(value, text))


def _is_defined(expression: str, namespace: Mapping[str, Any]) -> bool:
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        return False
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    # '{1,2}' and '{a,b}' are PostgreSQL's arrays
    return bool(names) and not isinstance(tree.body, ast.Tuple) and all(name in namespace for name in names)


def _loaded(shell: Any) -> set[str]:
    """The names of the extensions that *shell* takes for loaded."""
    names: set[str] = shell.extension_manager.loaded
    return names


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What ``%load_ext workbench.magics`` calls."""
    for style in prettytable.TableStyle:  # ipython-sql looks the styles up in the module
        setattr(prettytable, style.name, style)
    shell.register_magics(SqlMagic)
    # a later %load_ext sql must not put the original in its place
    _loaded(shell).add("sql")


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """What ``%unload_ext workbench.magics`` calls: closes the connections."""
    for connection in list(sql.connection.Connection.connections.values()):
        connection.end()
    sql.connection.Connection.connections = {}
    sql.connection.Connection.current = None
    _loaded(shell).discard("sql")
