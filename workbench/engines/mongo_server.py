"""A running MongoDB in which scratch databases may be made."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlencode

import pymongo
import pymongo.errors
from pymongo.database import Database
from pymongo.uri_parser import parse_uri

from workbench.engines.mongo_binaries import OLDEST_SUPPORTED
from workbench.errors import EngineError, FeatureUnavailable, ServerTooOld

_SCRATCH = "wb_"
Document: TypeAlias = dict[str, Any]
Client: TypeAlias = pymongo.MongoClient[Document]

# what a proof may ask for: the first version that has it, and whether a single server will do
FEATURES: Mapping[str, tuple[tuple[int, int], bool]] = {
    "transactions": ((4, 2), False),
    "change streams": ((4, 0), False),
    "time-series collections": ((5, 0), True),
    "clustered collections": ((5, 3), True),
    "change stream pre-images": ((6, 0), False),
    "compound wildcard indexes": ((7, 0), True),
    "$percentile": ((7, 0), True),
    "$queryStats": ((8, 0), True),
}


@dataclass(frozen=True)
class MongoServer:
    """Where a MongoDB is, and what may be made in it. A host is ``name:port`` or the path of a socket."""

    hosts: tuple[str, ...]
    label: str  # embedded, installed, downloaded, private …, or remote
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    replica_set: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # of the URL: tls, authSource …
    scheme: str = "mongodb"
    revive: Callable[[], None] | None = field(default=None, repr=False, compare=False)

    def url(self, database: str = "admin", *, user: str | None = None, password: str | None = None) -> str:
        """A mongodb:// URL with every part percent-encoded; it holds the password."""
        name, secret = (user, password) if user is not None else (self.user, self.password)
        login = "" if name is None else quote(name, safe="") + ":" + quote(secret or "", safe="") + "@"
        hosts = ",".join(quote(each, safe=":[]") for each in self.hosts)
        options = dict(self.options)
        if name is not None:
            options.setdefault("authSource", "admin")
        if self.replica_set:
            options["replicaSet"] = self.replica_set
        return f"{self.scheme}://{login}{hosts}/{quote(database, safe='')}?{urlencode(options)}"

    def client(self, *, user: str | None = None, password: str | None = None, **options: Any) -> Client:
        """A client of the administrator, or of *user*; a server of ours that has died is started again first.

        *options* are those of MongoClient and win over the URL's, and these over ours: UUIDs in the
        standard form, aware times. Close it after use: it is a context manager.
        """
        if self.revive is not None and not self.answers():
            self.revive()
        ours: dict[str, Any] = {
            "appname": "workbench",
            "uuidRepresentation": "standard",
            "tz_aware": True,
            "serverSelectionTimeoutMS": 15_000,
        }
        named = {name.lower() for name in self.options}
        settings = {name: value for name, value in ours.items() if name.lower() not in named}
        return pymongo.MongoClient(self.url(user=user, password=password), **{**settings, **options})

    def answers(self) -> bool:
        """Whether any host accepts a connection; nothing is asked of it."""
        return any(listens(host) for host in self.hosts)

    @cached_property
    def _identity(self) -> tuple[tuple[int, int, int], bool]:
        with self.client() as client:
            built: list[int] = client.admin.command("buildInfo")["versionArray"]
            hello = client.admin.command("hello")
        return (built[0], built[1], built[2]), "setName" in hello or hello.get("msg") == "isdbgrid"

    @property
    def version(self) -> tuple[int, int, int]:
        """Such as ``(6, 0, 5)``."""
        return self._identity[0]

    @property
    def description(self) -> str:
        """The name that stands beside each proof: ``MongoDB 6.0.5, embedded``."""
        return f"MongoDB {'.'.join(map(str, self.version))}, {self.label}"

    def require(self, feature: str) -> None:
        """FeatureUnavailable where *feature* (of FEATURES) does not exist on this server."""
        since, alone_will_do = FEATURES[feature]
        if self.version < since:
            raise FeatureUnavailable(
                feature,
                self.description,
                hint=f"name a mongod of version {since[0]}.{since[1]} or newer in WORKBENCH_MONGOD",
            )
        if not alone_will_do and not self._identity[1]:
            raise FeatureUnavailable(
                feature,
                f"{self.description}, a single server",
                hint="start it with --replSet, or unset WORKBENCH_MONGODB_URL to use our own replica set",
            )

    def require_supported(self, where: str) -> None:
        """ServerTooOld where this server is older than the oldest supported one."""
        if self.version < OLDEST_SUPPORTED:
            raise ServerTooOld(
                f"{where} runs MongoDB {'.'.join(map(str, self.version))}: the oldest supported version is "
                f"{'.'.join(map(str, OLDEST_SUPPORTED))}"
            )

    @contextlib.contextmanager
    def scratch_database(self, *, label: str = "scratch") -> Iterator[Database[Document]]:
        """A fresh database with a client of its own; dropped after the block."""
        name = (
            f"{_SCRATCH}{re.sub(r'[^a-z0-9]+', '_', label.lower())[:20]}_{os.getpid()}_{uuid.uuid4().hex[:8]}"
        )
        with self.client() as client:
            try:
                yield client[name]
            finally:
                self.drop_database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database of ours; nothing happens where it is gone."""
        if not name.startswith(_SCRATCH):
            raise ValueError(f"{name!r} was not made by the workbench: it will not be dropped")
        with self.client() as client:
            client.drop_database(name)

    def drop_leftovers(self) -> None:
        """Drop the scratch databases that killed processes left; call it only while nobody else is here."""
        with self.client() as client:
            for name in client.list_database_names():
                if name.startswith(_SCRATCH):
                    client.drop_database(name)


def listens(host: str) -> bool:
    """Whether something accepts connections at *host*: faster to ask than a driver, which waits."""
    try:
        if host.startswith("/"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(host)
        else:
            name, _, port = host.rpartition(":")
            socket.create_connection((name.strip("[]"), int(port)), timeout=5).close()
    except OSError:
        return False
    return True


def remote_server(url: str) -> MongoServer:
    """The server that WORKBENCH_MONGODB_URL names, tried: it answers, and a scratch database can be made.

    Raises EngineError or ServerTooOld; no message holds the password.
    """
    server = _of_url(url)
    try:
        server.require_supported("WORKBENCH_MONGODB_URL")
        with server.scratch_database(label="probe") as database:
            database.create_collection("probe")
    except pymongo.errors.OperationFailure as exc:
        said = str((exc.details or {}).get("errmsg", "the server refuses")).rstrip(".")
        raise EngineError(
            f"WORKBENCH_MONGODB_URL ({', '.join(server.hosts)}): {said}: name a user that may make "
            "databases, or unset it to use our own server"
        ) from exc
    except pymongo.errors.PyMongoError as exc:
        raise EngineError(
            f"WORKBENCH_MONGODB_URL ({', '.join(server.hosts)}) does not answer ({_first_words(exc)}): "
            "is it up, and may you reach it? Unset it to use our own server"
        ) from exc
    return server


def _of_url(url: str) -> MongoServer:
    try:
        if url.startswith("mongodb://"):
            parse_uri(url)  # for its errors
        scheme, _, rest = url.partition("://")
        if scheme not in ("mongodb", "mongodb+srv"):
            raise ValueError(scheme)
        place, _, query = rest.partition("?")
        place, _, database = place.partition("/")
        login, _, hosts = place.rpartition("@")
        options = dict(parse_qsl(query, strict_parsing=bool(query)))
    except (pymongo.errors.PyMongoError, ValueError) as exc:
        raise EngineError(
            "WORKBENCH_MONGODB_URL is not a mongodb:// URL: write "
            "mongodb://user:password@host:port/?authSource=admin, names and passwords percent-encoded"
        ) from exc
    user, _, password = login.partition(":")
    if login and database:
        options.setdefault("authSource", unquote(database))
    return MongoServer(
        hosts=tuple(unquote(host) for host in hosts.split(",")),
        label="remote",
        user=unquote(user) if login else None,
        password=unquote(password) if login else None,
        options=options,
        scheme=scheme,
    )


def _first_words(exc: BaseException) -> str:
    """The reason alone: pymongo adds its topology and time-outs."""
    return str(exc).split(" (configured timeouts")[0].split(", Timeout:")[0]
