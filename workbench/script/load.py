"""Load a psql script into a scratch database of its own."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.engines.postgres import Server
from workbench.errors import EngineError, ScriptFailed, ScriptRefused, WorkbenchError
from workbench.script.lexer import Statement
from workbench.script.psql import Login, Outcome, PsqlError, run_psql
from workbench.script.remedies import Remedies
from workbench.script.roles import loader_roles
from workbench.script.sanitize import (
    LeftOut,
    Plan,
    Rendered,
    Step,
    brief,
    plan,
    read_script,
    redact,
    render,
    secrets_in,
)
from workbench.script.stand_ins import Extensions, StandIn, create_beforehand, resolve_extensions
from workbench.sql import fetch

_MOST_ATTEMPTS = 40
_CANCELED = "57014"
_ENGINE_TROUBLE = frozenset({"08", "53", "57", "58"})  # connection, resources, operator, system (appendix A)
# A whole script may take this many times as long as its longest statement.
_SCRIPT_TIMEOUTS = 10


@dataclass(frozen=True)
class LoadReport:
    """What became of a script. *role* owns the database: read it through `as_loader`, not as superuser."""

    path: str
    statements: int
    stood_in: tuple[StandIn, ...]
    left_out: tuple[LeftOut, ...]
    roles_created: tuple[str, ...]
    elapsed_s: float
    role: str = ""
    password: str = field(default="", repr=False)

    def as_dict(self) -> dict[str, Any]:
        """As plain data for the environment of a child process; it holds the password of *role*."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LoadReport:
        """The report that `as_dict` wrote, also after a trip through JSON."""
        stood_in = tuple(
            StandIn(each["extension"], each["how"], tuple(each["lines"]), tuple(each["objects"]))
            for each in data["stood_in"]
        )
        left_out = tuple(LeftOut(**each) for each in data["left_out"])
        roles = tuple(data["roles_created"])
        return cls(**{**data, "stood_in": stood_in, "left_out": left_out, "roles_created": roles})


@contextlib.contextmanager
def loaded_script(
    server: Server, path: Path, *, strict: bool = False, timeout_s: float = 300, encoding: str | None = None
) -> Iterator[tuple[str, LoadReport]]:
    """The name of a scratch database with the script *path* loaded, and what became of its statements.

    *timeout_s* bounds each statement, ten times it the file. With *strict*, a stand-in or a left-out
    statement is an error. The database and the roles made for it are dropped after the block.
    Raises ScriptError, ScriptRefused, ScriptFailed, EngineError.
    """
    started = time.monotonic()
    path = Path(path)
    planned = plan(read_script(path, encoding=encoding), str(path))
    with loader_roles(server) as roles:
        roles.need(planned.roles)
        with server.session() as conn:
            planned, extensions = resolve_extensions(conn, planned)
        if strict:
            _refuse_stand_ins(planned, extensions)
        remedies = Remedies(planned, extensions, roles)
        with contextlib.ExitStack() as databases:
            dbname = _load(server, remedies, databases, strict=strict, timeout_s=timeout_s)
            roles.settle(server, dbname)
            report = LoadReport(
                path=str(path),
                statements=remedies.statements(),
                stood_in=extensions.stood_in(),
                left_out=remedies.left_out(),
                roles_created=tuple(roles.created),
                elapsed_s=round(time.monotonic() - started, 3),
                role=roles.loader,
                password=roles.password,
            )
            yield dbname, report


def as_loader(server: Server, report: LoadReport) -> Server:
    """*server* with the login that owns the loaded database.

    Its triggers, views and functions are other people's code: they get no more rights than the loader.
    """
    return replace(server, user=report.role, password=report.password)


def _refuse_stand_ins(planned: Plan, extensions: Extensions) -> None:
    """With --strict: ScriptFailed that names the first thing that would not run as it stands."""
    found = [
        (line, f"the extension {each.extension} is not on this engine: it would be stood in for")
        for each in extensions.stood_in()
        for line in each.lines
    ]
    listed = [step.listed for step in planned.steps if step.listed]
    found += [(left.line, f"{left.statement} would be left out: {left.reason}") for left in listed]
    if found:
        line, what = min(found)
        raise ScriptFailed(f"{what} (refused by --strict)", path=planned.path, line=line)


def _load(
    server: Server, remedies: Remedies, databases: contextlib.ExitStack, *, strict: bool, timeout_s: float
) -> str:
    """The name of a database that holds the script.

    A statement that fails for what the engine lacks is remedied, and the script starts again in an empty
    database. Probes, which go on after an error and copy no rows, find all such statements of a kind at
    once; what counts in the end is a run that stops at the first error and meets none.
    """
    probing = False
    for _ in range(_MOST_ATTEMPTS):
        database = server.scratch_database(owner=remedies.roles.loader, label=Path(remedies.plan.path).stem)
        dbname = databases.enter_context(database)
        load = _Load(server, remedies, dbname, timeout_s, probing=probing)
        rendered, outcome = load.run()
        if probing and not outcome.timed_out:
            remedied = [load.remedy(rendered, error) for error in outcome.errors]
            probing = any(remedied)
        elif not outcome.errors and not outcome.status and not outcome.timed_out:
            return dbname
        else:
            first = None if outcome.timed_out or not outcome.errors else outcome.errors[0]
            if first is None or strict or not load.remedy(rendered, first):
                raise load.failure(rendered, outcome)
            probing = True
        databases.close()
    raise ScriptFailed(
        f"still fails after {_MOST_ATTEMPTS} attempts to do without what this engine lacks",
        path=remedies.plan.path,
    )


@dataclass
class _Load:
    """One attempt to fill one scratch database."""

    server: Server
    remedies: Remedies
    dbname: str
    timeout_s: float
    probing: bool
    running: str = ""

    def run(self) -> tuple[Rendered, Outcome]:
        """Prepare the database and let psql run the script as it now stands."""
        roles = self.remedies.roles
        login = Login(self.server, self.dbname, roles.loader, roles.password)
        roles.prepare(self.server, self.dbname)
        loader = replace(self.server, user=roles.loader, password=roles.password)
        with self.server.session(self.dbname) as conn, loader.session(self.dbname) as owner:
            create_beforehand(conn, self.remedies.extensions.beforehand, roles.loader)
            self.remedies.declare(conn, owner)
        rendered = render(self.remedies.steps, with_data=not self.probing)
        outcome = run_psql(
            login,
            rendered.text,
            stop_on_error=not self.probing,
            statement_timeout_s=self.timeout_s,
            timeout_s=self.timeout_s * _SCRIPT_TIMEOUTS,
            at_timeout=self._note_running,
        )
        return rendered, outcome

    def remedy(self, rendered: Rendered, error: PsqlError) -> bool:
        """Whether the next attempt can do without what *error* misses."""
        number = rendered.step_at(error.line)
        return number is not None and self.remedies.apply(number, error, with_rows=not self.probing)

    def _note_running(self) -> None:
        with self.server.session() as conn:
            found = fetch(conn, "script/running_statement.sql", {"role": self.remedies.roles.loader})
        self.running = found[0]["query"] if found else ""

    def failure(self, rendered: Rendered, outcome: Outcome) -> WorkbenchError:
        """The error to raise for how psql ended."""
        path, steps = self.remedies.plan.path, self.remedies.steps
        if outcome.timed_out:
            started = self.running.rstrip(";")
            line = next((step.line for step in steps if started and step.item.text.startswith(started)), None)
            limit = f"{self.timeout_s * _SCRIPT_TIMEOUTS:g} s"
            return ScriptFailed(f"the file was not loaded in {limit}: raise --timeout", path=path, line=line)
        if outcome.errors:
            error = outcome.errors[0]
            line = place(steps, rendered, error)
            message = describe(steps, rendered, error, self.timeout_s)
            if "backslash commands are restricted" in error.message:
                return ScriptRefused(
                    "psql found a meta-command where there should be none", path=path, line=line
                )
            trouble = error.sqlstate[:2] in _ENGINE_TROUBLE and error.sqlstate != _CANCELED
            if trouble or (not error.sqlstate and "connection" in error.message):
                return EngineError(f"{path}:{line}: {message}")
            return ScriptFailed(message, path=path, line=line)
        last = next((line for line in reversed(outcome.output.splitlines()) if line.strip()), "")
        return EngineError(f"psql ended with status {outcome.status} on {path}: {redact(last)}")


def place(steps: Sequence[Step], rendered: Rendered, error: PsqlError) -> int:
    """The file's line where *error* is: the server's, else the COPY row's, else the statement's."""
    number = rendered.step_at(error.line)
    if number is None:
        return rendered.origin[min(error.line, len(rendered.origin)) - 1][1]
    step = steps[number]
    if error.query_line and not error.internal and not step.rewritten:
        first = rendered.first_line(number)
        index = min(first + error.query_line - 2, len(rendered.origin) - 1)
        return rendered.origin[index][1]
    row = re.match(r"COPY .*?, line (\d+)", error.context)
    if row and isinstance(step.item, Statement) and step.item.data_line:
        return step.item.data_line + int(row[1]) - 1
    return step.line


def describe(steps: Sequence[Step], rendered: Rendered, error: PsqlError, timeout_s: float) -> str:
    """What went wrong, in one line, without the passwords of the statement."""
    number = rendered.step_at(error.line)
    text = "" if number is None else steps[number].item.text
    if error.sqlstate == _CANCELED:
        return f"the statement ran into the time-out of {timeout_s:g} s: raise --timeout ({brief(text)})"
    message = f"{error.message}: {error.detail}" if error.detail else error.message
    for secret in filter(None, secrets_in(text)):
        message = message.replace(secret, "***")
    where = error.context.split("\n")[-1] if error.context and not error.context.startswith("COPY") else ""
    return f"{redact(message)} ({'in ' + where + ', ' if where else ''}{brief(text)})"
