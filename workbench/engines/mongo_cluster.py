"""A mongod or a replica set of ours: made, started, shared by processes, stopped with its last user."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors

from workbench.engines import places
from workbench.engines.binaries import Binaries, ServiceUser, service_user
from workbench.engines.keeper import end_process, process_of
from workbench.engines.mongo_binaries import Mongod, default_mongod, reachable_mongod
from workbench.engines.mongo_server import Client, MongoServer, listens
from workbench.engines.service import Service
from workbench.errors import EngineError

ADMINISTRATOR = "wb_administrator"
REPLICA_SET = "wb"
FIRST_PORT = 27017  # names the socket file; nothing listens on TCP where a socket can be had

SCRATCH_PARAMETERS: Mapping[str, str] = {
    "diagnosticDataCollectionEnabled": "false",
    "ttlMonitorSleepSecs": "1",  # proofs of expiry need not wait a minute
    "scramSHA256IterationCount": "5000",
    "shutdownTimeoutMillisForSignaledShutdown": "0",
}
SCRATCH_ARGUMENTS: Sequence[str] = (
    "--quiet",
    "--wiredTigerCacheSizeGB=0.5",
    "--wiredTigerEngineConfigString=log=(prealloc=false,file_max=10MB)",  # an empty home of 11 MB, not of 301
    "--oplogSize=512",  # in MB; by default a twentieth of the disk
)


@dataclass(frozen=True)
class MongoCluster(Service[MongoServer]):
    """The data folders of one or more members and the program that serves them. *home* holds everything.

    Members are numbered from 0. With more than one, or with *replica_set*, they are a replica set.
    """

    home: Path
    mongod: Mongod
    user: ServiceUser
    members: int = 1
    parameters: Mapping[str, object] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    auth: bool = True
    replica_set: bool = True
    label: str = "embedded"
    private: bool = False

    @property
    def socket(self) -> Path | None:
        return places.lower_case_socket_folder(self.home, self.user)

    @property
    def _facts(self) -> Path:
        """Written when everything is made: the members' hosts. Without it, what is there is half made."""
        return self.home / "made.json"

    @property
    def _hosts(self) -> tuple[str, ...]:
        return tuple(json.loads(self._facts.read_text())["hosts"])

    def server(self) -> MongoServer:
        """How to reach it; does not say that it runs."""
        return MongoServer(
            hosts=self._hosts,
            label=self.label,
            user=ADMINISTRATOR if self.auth else None,
            password=self._password() if self.auth else None,
            replica_set=REPLICA_SET if self.replica_set else None,
            revive=self.ensure_running,
        )

    def member_client(self, member: int, **options: Any) -> Client:
        """A direct connection to one member, whatever its state; it never starts a member."""
        server = MongoServer(
            hosts=(self._hosts[member],),
            label=self.label,
            user=ADMINISTRATOR if self.auth else None,
            password=self._password() if self.auth else None,
        )
        return server.client(**{"directConnection": True, **options})

    def start(self, member: int) -> None:
        """Start one member, unless it runs. Raises EngineError with the server's own words."""
        with self._mutex():
            self._start(member, self._hosts[member])

    def stop(self, member: int) -> None:
        """Stop one member as a shutdown of its machine would; EngineError where it does not stop."""
        if not end_process(self._lock_file(member), [signal.SIGTERM]):
            raise EngineError(f"MongoDB in {self._data(member)} does not stop: see {self._log(member)}")

    def kill(self, member: int = 0) -> None:
        """End one member at once, as a power cut would; it is gone when this returns."""
        end_process(self._lock_file(member), [signal.SIGKILL])

    def pid(self, member: int = 0) -> int | None:
        """The process of one member; None where it does not run."""
        return process_of(self._lock_file(member))

    def _data(self, member: int) -> Path:
        return self.home / f"data{member}"

    def _log(self, member: int) -> Path:
        return self.home / f"server{member}.log"

    def _lock_file(self, member: int) -> Path:
        return self._data(member) / "mongod.lock"

    def _password(self) -> str:
        return (self.home / "password").read_text()

    def _ensure_running(self) -> None:
        if not self._facts.exists():
            self._make()
            return
        try:
            self._start_all()
        except EngineError:
            if self.private:
                raise
            self._make()

    def _start_all(self) -> None:
        started = [self._start(member, host) for member, host in enumerate(self._hosts)]
        if any(started):
            self._await_primary()

    def _make(self) -> None:
        """New and empty, whatever was there."""
        self._facts.unlink(missing_ok=True)
        for member in range(self.members):
            self.kill(member)
            shutil.rmtree(self._data(member), ignore_errors=True)
        hosts = self._new_hosts()
        self._make_secrets()
        for member, host in enumerate(hosts):
            self._start(member, host)
        with self._first_client(hosts[0]) as client:
            if self.replica_set:
                _initiate(client, hosts)
                _await_writable(client)
            if self.auth:
                client.admin.command(
                    "createUser",
                    ADMINISTRATOR,
                    pwd=self._password(),
                    roles=["root"],
                    mechanisms=["SCRAM-SHA-256"],
                )
        unfinished = self._facts.with_suffix(".new")
        unfinished.write_text(json.dumps({"hosts": hosts}))
        unfinished.rename(self._facts)

    def _new_hosts(self) -> list[str]:
        folder = self.socket
        if folder is not None:
            return [f"{folder}/mongodb-{FIRST_PORT + member}.sock" for member in range(self.members)]
        return [f"127.0.0.1:{port}" for port in _free_ports(self.members)]

    def _make_secrets(self) -> None:
        """The members' key file, which the server reads, and the administrator's password, which we read."""
        if not self.auth:
            return
        for name, content in (
            ("keyfile", base64.b64encode(secrets.token_bytes(96)).decode()),
            ("password", secrets.token_urlsafe(24)),
        ):
            file = self.home / name
            if not file.exists():
                unfinished = file.with_suffix(".new")
                unfinished.touch(mode=0o600)
                unfinished.write_text(content)
                unfinished.rename(file)
        if os.geteuid() != self.user.uid:
            os.chown(self.home / "keyfile", self.user.uid, self.user.gid)

    def _first_client(self, host: str) -> Client:
        # before there is a replica set and an administrator; used no longer than until there are
        return MongoServer(hosts=(host,), label=self.label).client(directConnection=True)

    def _await_primary(self) -> None:
        if not self.replica_set:
            return
        try:
            with self.server().client(serverSelectionTimeoutMS=30_000) as client:
                client.admin.command("ping")
        except pymongo.errors.PyMongoError as exc:
            raise EngineError(
                f"MongoDB {self.mongod.version_name} in {self.home} has no primary after 30 s "
                f"(log: {self._log(0)})"
            ) from exc

    def _start(self, member: int, host: str) -> bool:
        """Whether the member had to be started; it accepts connections when this returns."""
        if listens(host) and self.pid(member) is not None:
            return False
        if self.pid(member) is not None:  # it runs, but has lost its socket
            self.kill(member)
        self.user.own(self._data(member))
        self._log(member).unlink(missing_ok=True)  # else the server keeps it under another name
        output = self.home / f"server{member}.out"
        try:
            with output.open("w+") as said:  # no pipe: the server would hold it open for its whole life
                started = subprocess.run(
                    self._command(member, host),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env=Binaries.environment(),
                    start_new_session=True,
                    **self.user.process_options(),  # type: ignore[call-overload]
                )
        except OSError as exc:
            raise EngineError(
                f"{self.user.name} cannot run {self.mongod.path} ({exc.strerror}): name in WORKBENCH_MONGOD "
                "a mongod in a folder that this user can reach"
            ) from exc
        if started.returncode:
            raise EngineError(
                f"MongoDB {self.mongod.version_name} does not start in {self.home}: "
                f"{_last_words(self._log(member), output)} (log: {self._log(member)})"
            )
        return True

    def _command(self, member: int, host: str) -> list[str]:
        command = [
            str(self.mongod.path),
            "--fork",  # returns when the server accepts connections, or with an exit status
            f"--dbpath={self._data(member)}",
            f"--logpath={self._log(member)}",
        ]
        named = {each.partition("=")[0] for each in self.arguments}
        command += [each for each in SCRATCH_ARGUMENTS if each.partition("=")[0] not in named]
        if host.startswith("/"):
            folder, _, name = host.rpartition("/")
            command += [f"--bind_ip={host}", f"--unixSocketPrefix={folder}"]
            command += [f"--port={name.removeprefix('mongodb-').removesuffix('.sock')}"]
        else:
            address, _, port = host.rpartition(":")
            command += [f"--bind_ip={address}", f"--port={port}", "--nounixsocket"]
        if self.replica_set:
            command.append(f"--replSet={REPLICA_SET}")
        if self.auth:
            command.append(f"--keyFile={self.home / 'keyfile'}" if self.replica_set else "--auth")
        for name, value in {**SCRATCH_PARAMETERS, **self.parameters}.items():
            command += [
                "--setParameter",
                f"{name}={str(value).lower() if isinstance(value, bool) else value}",
            ]
        return [*command, *self.arguments]

    def _stop_task(self, *, throw_away: bool) -> Mapping[str, Any]:
        return {
            "lock_files": [str(self._lock_file(member)) for member in range(self.members)],
            "signals": [signal.SIGKILL] if throw_away else [signal.SIGTERM, signal.SIGKILL],
        }


def _initiate(client: Client, hosts: Sequence[str]) -> None:
    config: dict[str, Any] = {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": host} for number, host in enumerate(hosts)],
        "settings": {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 500},
    }
    client.admin.command("replSetInitiate", config)


def _await_writable(client: Client) -> None:
    deadline = time.monotonic() + 30
    while not client.admin.command("hello").get("isWritablePrimary"):
        if time.monotonic() > deadline:
            raise EngineError("a new replica set of MongoDB has no primary after 30 s")
        time.sleep(0.01)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _last_words(log: Path, output: Path) -> str:
    """Why the server did not start: the last error of its log, else what it printed."""
    for line in reversed(log.read_text(errors="replace").splitlines() if log.exists() else []):
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            if entry["s"] in ("F", "E"):
                reason = entry.get("attr", {}).get("error", "")
                return f"{entry['msg']} {reason}".strip() if isinstance(reason, str) else entry["msg"]
    printed = output.read_text(errors="replace").strip().splitlines()
    return printed[0] if printed else "no message"


def _place() -> tuple[Mongod, ServiceUser, Path]:
    user = service_user()
    cache = places.cache_folder()
    mongod = reachable_mongod(default_mongod(user, cache), user, cache)
    return mongod, user, places.reachable_home(cache, user)


def shared_mongod() -> MongoCluster:
    """The one server of this user and version in the cache folder: a replica set of a single member."""
    mongod, user, home = _place()
    return MongoCluster(home / f"mongodb-{mongod.version_name}", mongod, user, label=mongod.origin)


@contextlib.contextmanager
def private_mongod(
    *,
    members: int = 1,
    parameters: Mapping[str, object] | None = None,
    arguments: Sequence[str] = (),
    auth: bool = True,
    replica_set: bool = True,
) -> Iterator[tuple[MongoServer, MongoCluster]]:
    """A server of one's own, gone after the block: several members to fail over, a parameter, no login.

    *parameters* and *arguments* (of mongod, ``--name=value``) come on top of the scratch settings.
    Raises EngineError where it does not start, FeatureUnavailable where there is no server here.
    """
    mongod, user, home = _place()
    cluster = MongoCluster(
        home=home / f"private-mongodb-{uuid.uuid4().hex[:8]}",
        mongod=mongod,
        user=user,
        members=members,
        parameters=parameters or {},
        arguments=arguments,
        auth=auth,
        replica_set=replica_set or members > 1,
        label=f"private, {mongod.origin}",
        private=True,
    )
    try:
        with cluster.used(remove=True) as server:
            yield server, cluster
    except EngineError:
        cluster.wait_until_removed()
        raise
