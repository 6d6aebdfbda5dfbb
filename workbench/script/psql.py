"""Run a rendered script by psql, which can neither start a program nor open a further file."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2.extensions

from workbench.engines.binaries import service_user
from workbench.engines.postgres import Server
from workbench.errors import EngineError

_FILE = "script.sql"
_MESSAGE = re.compile(
    rf"^psql:{re.escape(_FILE)}:(?P<line>\d+): "
    r"(?:(?P<level>ERROR|FATAL|PANIC):  (?P<sqlstate>[0-9A-Z]{5}): |error: )(?P<message>.*)$"
)
_NOTE = re.compile(rf"^psql:{re.escape(_FILE)}:\d+: ")
_FIELD = re.compile(
    r"^(?P<name>LINE (?P<number>\d+)|DETAIL|HINT|CONTEXT|QUERY|LOCATION|STATEMENT): +(?P<value>.*)$"
)
_KEPT_BYTES = 4_000_000
# Its three standard streams, the connection and the script: psql has no descriptor left for anything else.
_DESCRIPTORS = 5
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class PsqlError:
    """One error that psql reported; *line* is of the rendered script, *query_line* of the statement."""

    line: int
    sqlstate: str
    message: str
    query_line: int | None = None
    internal: bool = False
    detail: str = ""
    context: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a run of psql ended. *timed_out* is the time for the whole script, not for a statement."""

    status: int
    errors: tuple[PsqlError, ...]
    output: str
    timed_out: bool


@dataclass(frozen=True)
class Login:
    """Whose session psql opens, and in which database."""

    server: Server
    dbname: str
    user: str
    password: str


def run_psql(
    login: Login, script: str, *, stop_on_error: bool, statement_timeout_s: float, timeout_s: float,
    at_timeout: Callable[[], None] = lambda: None,
) -> Outcome:  # fmt: skip
    """Let psql run *script* in an empty folder of its own, with nothing of our environment.

    *at_timeout* is called before psql is killed. Raises EngineError where psql cannot be started.
    """
    user = service_user()
    # its name is known before it is made: an interrupt at any time leaves nothing
    home = Path(tempfile.gettempdir()) / f"wb-{secrets.token_hex(8)}"
    try:
        home.mkdir(mode=0o700)
        (home / _FILE).write_text(script, encoding="utf-8", newline="")
        user.own(home)
        (home / _FILE).chmod(0o644)
        command = _command(login, stop_on_error)
        try:
            with _interrupts_held():
                process = subprocess.Popen(
                    command,
                    cwd=home,
                    env=_environment(login, statement_timeout_s, home),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    preexec_fn=_confine,
                    **user.process_options(),  # type: ignore[call-overload]
                )
        except OSError as exc:
            raise EngineError(f"psql cannot be started: {exc.strerror}: {command[0]}") from exc
        with process:
            try:
                output, timed_out = _read(process, timeout_s, at_timeout)
            finally:
                if process.poll() is None:
                    process.kill()
    finally:
        try:
            shutil.rmtree(home, ignore_errors=True)
        finally:  # interrupted, it is begun again
            shutil.rmtree(home, ignore_errors=True)
    return Outcome(process.returncode, tuple(parse_errors(output)), output, timed_out)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """An interrupt waits for the end of the block: between fork and exec it is a traceback of the child's."""
    former = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _command(login: Login, stop_on_error: bool) -> list[str]:
    info = login.server.conninfo(login.dbname, user=login.user)
    info.pop("password", None)
    dsn = psycopg2.extensions.make_dsn(**info)
    variables = ["VERBOSITY=verbose", "ON_ERROR_STOP=1" if stop_on_error else "ON_ERROR_ROLLBACK=on"]
    options = [word for variable in variables for word in ("-v", variable)]
    program = str(login.server.binaries.path("psql"))
    return [program, "-X", "-q", "--no-password", *options, "-f", _FILE, "-d", dsn]


def _environment(login: Login, statement_timeout_s: float, home: Path) -> dict[str, str]:
    return {
        **login.server.binaries.environment(),
        "HOME": str(home),
        "PGCLIENTENCODING": "UTF8",
        "PGPASSWORD": login.password,
        "PGAPPNAME": "workbench script",
        "PGCONNECT_TIMEOUT": "15",
        "PGOPTIONS": f"-c statement_timeout={round(statement_timeout_s * 1000)}",
    }


def _confine() -> None:
    """In the child: no process, no written file, no core, and on Linux no further descriptor.

    What the lexer and ``\\restrict`` should already have stopped fails here for want of means. An
    interrupt that was held back ends it here, without a word.
    """
    for each in _INTERRUPTS:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))


def _read(
    process: subprocess.Popen[bytes], timeout_s: float, at_timeout: Callable[[], None]
) -> tuple[str, bool]:
    """What psql says until it ends; the first megabytes of it, however much it says."""
    assert process.stderr is not None
    deadline = time.monotonic() + timeout_s
    kept = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                at_timeout()
                process.kill()
                process.wait()
                return kept.decode("utf-8", "replace"), True
            if not selector.select(left):
                continue
            chunk = os.read(process.stderr.fileno(), 65536)
            if not chunk:
                process.wait()
                return kept.decode("utf-8", "replace"), False
            if len(kept) < _KEPT_BYTES:
                kept += chunk


def parse_errors(output: str) -> list[PsqlError]:
    """The errors in what psql wrote to stderr with VERBOSITY verbose, in order."""
    blocks: list[list[str]] = []
    for line in output.split("\n"):
        if _NOTE.match(line):
            blocks.append([line])
        elif blocks:
            blocks[-1].append(line)
    return [error for block in blocks if (error := _parse_block(block))]


def _parse_block(block: list[str]) -> PsqlError | None:
    head = _MESSAGE.match(block[0])
    if head is None:
        return None
    message, fields, current = [head["message"]], {}, "message"
    query_line = None
    for line in block[1:]:
        if found := _FIELD.match(line):
            current = found["name"].split()[0]
            fields[current] = found["value"]
            query_line = int(found["number"]) if found["number"] else query_line
        elif current == "message":
            message.append(line)
        elif current == "CONTEXT":
            fields[current] += "\n" + line
    return PsqlError(
        line=int(head["line"]),
        sqlstate=head["sqlstate"] or "",
        message=" ".join(" ".join(message).split()),
        query_line=query_line,
        internal="QUERY" in fields,
        detail=fields.get("DETAIL", ""),
        context=fields.get("CONTEXT", ""),
    )
