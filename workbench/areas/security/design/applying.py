"""A design is applied, and taken away again, in one transaction."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg2
import psycopg2.extensions
from psycopg2 import errors

from workbench.areas.security.design.model import Design
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, EngineError, NotAuthorized

_OF_INPUT = (
    errors.DuplicateObject,
    errors.DuplicateSchema,
    errors.ForeignKeyViolation,
    errors.UndefinedObject,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.SyntaxError,
    errors.DatatypeMismatch,
)


def apply_design(conn: Connection, design: Design) -> None:
    """Bring the database behind *conn* to *design*; where that fails, nothing of it is left.

    Raises BadInput where the database or the intent does not allow it, NotAuthorized where the login may not.
    """
    _run(conn, design.statements, "applied")


def undo_design(conn: Connection, design: Design) -> None:
    """Take *design* away again: privileges, owners and flags become what they were when it was made."""
    _run(conn, design.undo_statements, "undone")


@contextlib.contextmanager
def transaction(conn: Connection) -> Iterator[None]:
    """One transaction of its own on *conn*, committed after the block, rolled back where it fails.

    Raises BadInput where one is open already.
    """
    _require_idle(conn)
    autocommit, conn.autocommit = conn.autocommit, True
    try:
        conn.execute("begin")
        yield
        conn.execute("commit")
    except BaseException:
        if not conn.closed:
            conn.execute("rollback")
        raise
    finally:
        if not conn.closed:
            conn.autocommit = autocommit


def _require_idle(conn: Connection) -> None:
    if conn.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
        raise BadInput("a transaction is open on the connection: commit or roll back first")


def _run(conn: Connection, statements: str, what: str) -> None:
    """The commit is sent when all went well: a client that dies before leaves nothing."""
    with transaction(conn):
        try:
            conn.execute(statements)
        except psycopg2.Error as exc:
            raise _explained(exc, what, conn) from exc


def _explained(exc: psycopg2.Error, what: str, conn: Connection) -> Exception:
    said = exc.diag.message_primary or str(exc).strip().splitlines()[0]
    hint = f": {exc.diag.message_hint}" if exc.diag.message_hint else ""
    message = f"the design is not {what}, nothing of it is left: {said}{hint}"
    if isinstance(exc, errors.InsufficientPrivilege):
        user = "the login" if conn.closed else conn.info.user
        return NotAuthorized(f"{message} (as {user}: let the owner of the database run it)")
    if isinstance(exc, _OF_INPUT):
        return BadInput(message)
    return EngineError(message)
