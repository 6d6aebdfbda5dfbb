"""One case tried for real: sent by the role itself, taken back, and named by what the server said."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import psycopg2

from workbench.areas.security.attacks.cases import Case
from workbench.areas.security.attacks.model import Attempt, Observed
from workbench.engines.postgres import Connection

_AGAIN = "rollback; begin; "
_COUNTED = "select pg_catalog.set_config('workbench.rows', '0', true); "
_COUNTER = "; select pg_catalog.current_setting('workbench.rows')::bigint"
_LONGEST_DETAIL = 300
_PRIVILEGE: Final = "42501"  # insufficient_privilege
_NOT_SUPPORTED: Final = "0A000"
# the server's functions behind PL/pgSQL's RAISE, and behind TRUNCATE of what a foreign key refers to
_RAISED: Final = "exec_stmt_raise"
_ENDED_AFTER_SECURITY: Final = (_RAISED, "heap_truncate_check_FKs")
_BY_POLICY: Final = ("ExecWithCheckOptions", "check_enable_rls")
_COPY_UNDER_ROW_SECURITY: Final = "DoCopy"


@dataclass(frozen=True)
class Outcome:
    """What the server answered: *rows*, or an error with the *place* in the server that raised it."""

    rows: int | None = None
    sqlstate: str = ""
    message: str = ""
    place: str = ""
    context: str = ""

    @property
    def observed(self) -> Observed:
        """By the error's code and place: 42501 that an application raises is no refusal of the server."""
        if not self.sqlstate:
            return "nothing" if self.rows == 0 else "reached"
        if self.place in _ENDED_AFTER_SECURITY:
            return "stopped"
        if self.sqlstate == _PRIVILEGE or self.no_copy_under_row_security:
            return "refused"
        return "stopped" if self.sqlstate.startswith("23") else "failed"

    @property
    def no_copy_under_row_security(self) -> bool:
        """PostgreSQL has no COPY FROM for whom row security applies to."""
        return self.sqlstate == _NOT_SUPPORTED and self.place == _COPY_UNDER_ROW_SECURITY

    def raised_in(self, functions: Collection[str]) -> bool:
        """Whether one of *functions* raised it; the first line of the context is the innermost call."""
        inner = self.context.partition(";")[0]
        names = {each.partition("(")[0].rpartition(".")[2].strip('"') for each in functions}
        return self.place == _RAISED and any(f"{name}(" in inner.replace('"', "") for name in names)

    @property
    def by_policy(self) -> bool:
        """Whether it was a policy that refused, behind the privileges."""
        return self.observed == "refused" and (self.place in _BY_POLICY or self.no_copy_under_row_security)

    @property
    def detail(self) -> str:
        counted = "done" if self.rows is None else f"{self.rows} row{'' if self.rows == 1 else 's'}"
        words = self.message or counted
        return (words + (f" ({self.context})" if self.context else ""))[:_LONGEST_DETAIL]


def send(conn: Connection, case: Case) -> Outcome:
    """The server's answer to *case*, in a transaction that the next case or `take_back` ends.

    The last transaction is taken back, the next one begun and the statement sent as one message.
    """
    cur = conn.cursor()
    try:
        if case.how == "copy from":
            cur.copy_expert(_AGAIN + case.statement, io.StringIO(case.sent))
        elif case.how == "copy to":
            received = io.StringIO()
            cur.copy_expert(_AGAIN + case.statement, received)
            return Outcome(rows=received.getvalue().count("\n"))
        elif case.how == "counter":
            cur.execute(_AGAIN + _COUNTED + case.statement + _COUNTER)
        else:
            cur.execute(_AGAIN + case.statement)
        return Outcome(rows=_rows(cur, case))
    except psycopg2.Error as exc:
        said = exc.diag
        return Outcome(
            sqlstate=exc.pgcode or "08000",
            message=(said.message_primary or str(exc)).strip(),
            place=said.source_function or "",
            context="; ".join((said.context or "").split("\n")),
        )
    finally:
        cur.close()


def _rows(cur: psycopg2.extensions.cursor, case: Case) -> int | None:
    """How many rows were seen or changed; None for a statement without rows."""
    if case.how in ("count", "counter"):
        return int(cur.fetchall()[0][0])
    return cur.rowcount if cur.rowcount >= 0 else None


def take_back(conn: Connection) -> None:
    """End what the last case began."""
    conn.execute("rollback")


def attempt(case: Case, outcome: Outcome, *, design: bool) -> Attempt:
    """*case* and its *outcome*, compared; of *design* a refusal must come from where it was designed."""
    reason, fits = _compared(case, outcome, design=design)
    return Attempt(
        key=case.key,
        group="matrix",
        number="A",
        name=case.name,
        role=case.role,
        identity=case.identity,
        statement=case.statement.strip(),
        declared=case.declared,
        observed=outcome.observed,
        as_declared=fits,
        table=case.table,
        operation=case.operation,
        row=case.row,
        sqlstate=outcome.sqlstate,
        rows=outcome.rows,
        detail=f"{outcome.detail}: {reason}" if reason else outcome.detail,
        declared_rows=case.declared_rows,
    )


def _compared(case: Case, outcome: Outcome, *, design: bool) -> tuple[str, bool]:
    """Why it is not as declared, and whether it is."""
    observed = outcome.observed
    if observed == "failed":
        return "not expected at all", False
    if case.declared == "residual":
        return "", True
    if case.declared == "refused":
        if observed == "stopped" and case.how == "counter" and not (case.by_privilege and design):
            return "whatever the rows are", True  # by a trigger of the statement, for no row was touched
        if outcome.raised_in(case.before) and not case.by_privilege:
            return "before row security was asked", True
        if observed in ("reached", "stopped"):
            return "declared refused", False
        if case.by_privilege and design and (observed == "nothing" or outcome.by_policy):
            return "the role holds a privilege that nobody declared; row security alone is in the way", False
        return "", True
    if case.how == "copy from" and outcome.no_copy_under_row_security:
        return "", True
    if case.declared_rows is not None and observed in ("reached", "nothing"):
        fits = outcome.rows == case.declared_rows
        return ("" if fits else f"declared {case.declared_rows}"), fits
    fits = observed in ("reached", "stopped")
    return ("" if fits else "declared allowed"), fits
