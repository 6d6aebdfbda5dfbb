"""A PostgreSQL cluster of ours: made, started, shared by processes, stopped with its last user."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from workbench.engines import places
from workbench.engines.binaries import Binaries, ServiceUser, default_binaries, service_user
from workbench.engines.server import SUPERUSER, Server
from workbench.engines.service import Service
from workbench.errors import EngineError

PORT = 5432  # names the socket file; nothing listens on TCP unless a private cluster asks for it

SCRATCH_SETTINGS: Mapping[str, str] = {
    "shared_preload_libraries": "pg_stat_statements",
    "listen_addresses": "",
    "max_connections": "100",
    "max_locks_per_transaction": "512",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    # nothing here outlives a crash of the machine, so nothing waits for the disk
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    # plans must not change between two measurements
    "autovacuum": "off",
    "jit": "off",
    "track_io_timing": "on",
    # a runaway statement of somebody's file fills its quota, not the disk
    "temp_file_limit": "20GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
}


_LOG_PREFIX = re.compile(r"^[-0-9]+ [:.0-9]+ \w+ \[\d+\] (?:LOG|FATAL|HINT|DETAIL):\s*")


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


@dataclass(frozen=True)
class Cluster(Service[Server]):
    """A data directory and the programs that serve it. *home* holds data, log, locks, maybe the socket."""

    home: Path
    binaries: Binaries
    user: ServiceUser
    settings: Mapping[str, str]
    initdb_args: Sequence[str] = ()
    hba: Sequence[str] = ()
    label: str = "embedded"
    password: str | None = field(default=None, repr=False)
    port: int = PORT

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def socket(self) -> Path:
        return places.socket_folder(self.home, self.user)

    def server(self) -> Server:
        """How to reach it; does not say that it runs."""
        return Server(
            host=str(self.socket),
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            label=self.label,
            binaries=self.binaries,
            revive=self.ensure_running,
        )

    def _ensure_running(self) -> None:
        if self._answers():
            return
        made_now = not (self.data / "PG_VERSION").exists()
        if made_now:
            self._initdb()
        try:
            self._start()
        except EngineError:
            if made_now or self.label != "embedded":
                raise
            self._remove_data()
            self._initdb()
            self._start()

    def _answers(self) -> bool:
        if not (self.data / "postmaster.pid").exists():
            return False
        with contextlib.suppress(psycopg2.OperationalError):
            self.server().connect_once("postgres").close()
            return True
        return False

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # output to a file: a server started by pg_ctl keeps an inherited pipe open for its whole life
        with (self.home / f"{program}.out").open("w+") as output:
            done = subprocess.run(
                [str(self.binaries.path(program)), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                cwd="/",
                env=self.binaries.environment(),
                start_new_session=True,
                **self.user.process_options(),  # type: ignore[call-overload]
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read())

    def _initdb(self) -> None:
        self._remove_data()
        self.user.own(self.data)
        arguments = [
            "-D",
            str(self.data),
            "-U",
            SUPERUSER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        ]
        if self.binaries.major >= 17:
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        made = self._run("initdb", *arguments, *self.initdb_args)
        if made.returncode:
            lines = made.stdout.strip().splitlines() or ["no message"]
            words = [line for line in lines if re.search("error:|FATAL|PANIC", line)] or lines[-1:]
            self._remove_data()
            raise EngineError(
                f"PostgreSQL {self.binaries.version} could not make a cluster in {self.data}: {words[0]}"
            )
        self._write_settings()

    def _write_settings(self) -> None:
        settings = {
            **self.settings,
            "unix_socket_directories": '"' + str(self.socket) + '"',
            "port": str(self.port),
        }
        lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write("\n".join(["", *lines, ""]))
        if self.hba:
            (self.data / "pg_hba.conf").write_text("\n".join([*self.hba, ""]))

    def _start(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            started = self._run(
                "pg_ctl",
                "-D",
                str(self.data),
                "-l",
                str(self.log_for_service_user()),
                "-t",
                "60",
                "-w",
                "start",
            )
            if started.returncode == 0 or self._answers():
                return
            words = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
            # after a kill -9 the dead server's children need a moment to notice
            if not any("pre-existing shared memory" in line or "lock file" in line for line in words[-6:]):
                break
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        said = [_LOG_PREFIX.sub("", line) for line in words[-3:]] or [started.stdout.strip()]
        raise EngineError(
            f"PostgreSQL {self.binaries.version} does not start in {self.home}: {'; '.join(said)} "
            f"(log: {self.log})"
        )

    def log_for_service_user(self) -> Path:
        """The log file, emptied, and writable by the server."""
        self.log.write_text("")
        if os.geteuid() != self.user.uid:
            os.chown(self.log, self.user.uid, self.user.gid)
        return self.log

    def _stop_task(self, *, throw_away: bool) -> Mapping[str, Any]:
        stop = [str(self.binaries.path("pg_ctl")), "-D", str(self.data), "-t", "30", "-w", "stop", "-m"]
        return {
            "commands": [[*stop, mode] for mode in ("fast", "immediate")],
            "pid_file": str(self.data / "postmaster.pid"),
            "process_options": self.user.process_options(),
        }

    def _remove_data(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)

    def kill(self) -> None:
        """End the server at once, as a power cut would (for proofs of recovery)."""
        os.kill(int((self.data / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server; it starts again with `ensure_running`."""
        stopped = self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")
        if stopped.returncode:
            raise EngineError(f"PostgreSQL in {self.home} does not stop: {stopped.stdout.strip()}")


def shared_cluster() -> Cluster:
    """The one cluster of this user and version in the cache folder."""
    user = service_user()
    cache = places.cache_folder()
    binaries = places.reachable_binaries(default_binaries(), user, cache)
    home = places.reachable_home(cache, user) / f"postgresql-{binaries.version}"
    return Cluster(
        home,
        binaries,
        user,
        SCRATCH_SETTINGS,
        label="embedded" if binaries.origin == "embedded" else "installed",
    )


@contextlib.contextmanager
def private_cluster(
    *,
    settings: Mapping[str, str] | None = None,
    initdb_args: Sequence[str] = (),
    hba: Sequence[str] = (),
    binaries: Binaries | None = None,
    password: str | None = None,
    port: int = PORT,
    durable: bool = False,
) -> Iterator[tuple[Server, Cluster]]:
    """A cluster of one's own, gone after the block: WAL level, TLS, passwords, an older version.

    *settings* come on top of the scratch settings, or with *durable* on top of PostgreSQL's own.
    *hba* replaces pg_hba.conf line by line. Raises EngineError where it does not start.
    """
    user = service_user()
    cache = places.cache_folder()
    programs = places.reachable_binaries(binaries or default_binaries(), user, cache)
    base: Mapping[str, str] = {"listen_addresses": ""} if durable else SCRATCH_SETTINGS
    cluster = Cluster(
        home=places.reachable_home(cache, user) / f"private-{uuid.uuid4().hex[:8]}",
        binaries=programs,
        user=user,
        settings={**base, **(settings or {})},
        initdb_args=initdb_args,
        hba=hba,
        label=f"private, {programs.origin}",
        password=password,
        port=port,
    )
    try:
        with cluster.used(remove=True) as server:
            yield server, cluster
    except EngineError:
        cluster.wait_until_removed()
        raise
