"""Reading somebody's database of collections, and nothing but reading.

A named database is touched through `ReadOnlyDatabase` alone. It sends the commands of an allow-list;
pipelines that write (``$out``, ``$merge``), run JavaScript on the server or use stages that are the
server's own are refused before they are sent, each command has a time limit, and none may use the
server's disk for temporary files. It prefers a secondary, where there is one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode

from bson import CodecOptions
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_preferences import ReadPreference

from workbench.engines.mongo_binaries import OLDEST_SUPPORTED
from workbench.errors import (
    BadInput,
    NotAuthorized,
    ServerTooOld,
    SourceError,
    SourceTimeout,
    SourceUnreachable,
)

READER = "workbench reader"  # what the server's log and profiler call us
Topology = Literal["primary", "secondary", "mongos", "standalone"]
_SELECTION_MS = 5_000
_BATCH_BYTES = 4 << 20
_EXPLAINED = frozenset(["aggregate", "count", "find"])
_READS = _EXPLAINED | {"buildInfo", "collStats", "connectionStatus", "dbStats", "explain", "hello"}
_READS |= {"listCollections", "listDatabases", "listIndexes", "profile"}
_READS |= {"getCmdLineOpts", "getParameter", "rolesInfo", "usersInfo"}  # how it was started, who may do what
_REFUSED = {
    "$out": "it writes",
    "$merge": "it writes",
    "$where": "it runs JavaScript on the server",
    "$function": "it runs JavaScript on the server",
    "$accumulator": "it runs JavaScript on the server",
    "$changeStream": "it has no end",
}
_NOT_AUTHORIZED = (13, 8000)
_WRONG_LOGIN = (18, 11, 8000)
_TIME_LIMIT = (50, 24, 262)  # MaxTimeMSExpired, LockTimeout, ExceededTimeLimit
_SECRETS = re.compile(r"(?i)(?:tlscertificatekeyfilepassword|ssl_pem_passphrase|password)")
_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,  # years beyond 9999 are no error
    unicode_decode_error_handler="replace",
)
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, uuid_representation=UuidRepresentation.STANDARD
)


@dataclass
class _Member:
    """Which member of a replica set is asked: one for all, so that its figures are of one state.

    Where that one is gone another answers, unless *alone*. The driver calls it with those that would do.
    """

    address: Any = None
    alone: bool = False

    def __call__(self, servers: list[Any]) -> list[Any]:
        if self.address is None:
            return servers
        found = [each for each in servers if each.address == self.address]
        return found if found or self.alone else servers


def _named(address: tuple[str, int | None]) -> str:
    """An address of the driver as the server calls itself: a socket has no port."""
    host, port = address
    if host.endswith(".sock") or port is None:
        return host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ReadOnlyDatabase:
    """A database that is only read. Made by `connect_read_only`; use it in a ``with`` or call `close`.

    *shown* is its URL without a secret, *server* such as ``MongoDB 6.0.5``, *version* its numbers,
    *topology* what the member is that answers, *host* its address. Every method raises
    SourceUnreachable, NotAuthorized, SourceTimeout or SourceError, each in one line.
    """

    def __init__(
        self,
        client: MongoClient[dict[str, Any]],
        name: str,
        *,
        shown: str,
        timeout_s: float,
        member: _Member | None = None,
    ) -> None:
        self.name = name
        self.shown = shown
        self.timeout_s = timeout_s
        self._client = client
        self._member = member
        self._preference = client.read_preference
        hello = self.command({"hello": 1})
        if member is not None and hello.get("setName"):
            self._await_members()
            hello = self.command({"hello": 1})
            member.address = self._members().get(str(hello.get("me")))
        self._hosts = frozenset([*hello.get("hosts", ()), *hello.get("passives", ())])
        self.topology = topology(hello)
        self.host = str(hello.get("me") or next(iter(self._members()), ""))
        build = self.command({"buildInfo": 1})
        self.version = supported_version(build.get("versionArray", ()), str(build.get("version", "")), shown)
        self.server = f"MongoDB {build['version']}"

    def __enter__(self) -> ReadOnlyDatabase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; twice does no harm."""
        if self._member is not None:
            self._client.close()

    def _members(self) -> dict[str, Any]:
        """The members that hold data and answer, by name, as the driver calls them."""
        known = self._client.topology_description.server_descriptions()
        return {
            _named(address): address
            for address, description in sorted(known.items(), key=str)
            if description.is_readable
        }

    def _await_members(self) -> None:
        """Wait until every member has answered once, a second at most: before, only the first is known."""
        deadline = time.monotonic() + 1
        while len(self._members()) < len(self._client.topology_description.server_descriptions()):
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)

    @property
    def others(self) -> tuple[str, ...]:
        """The other members of the replica set that hold data, also those that cannot be reached."""
        return tuple(sorted(self._hosts - {self.host}))

    @contextmanager
    def asking(self, member: str) -> Iterator[None]:
        """During the block *member*, one of `others`, is asked. Raises SourceUnreachable."""
        address = self._members().get(member)
        if self._member is None or address is None:
            raise SourceUnreachable(f"{self.shown}: the member {member} cannot be reached from here")
        former, preference = self._member.address, self._preference
        self._member.address, self._member.alone = address, True
        self._preference = ReadPreference.NEAREST
        try:
            yield
        finally:
            self._member.address, self._member.alone = former, False
            self._preference = preference

    def command(
        self, command: Mapping[str, Any], *, about: str = "", database: str | None = None
    ) -> dict[str, Any]:
        """The reply to *command*, whose name is its first key. Raises BadInput for one that is no read.

        *about* is the collection that a message names; *database* another than this one, such as admin.
        """
        with self._explained(about):
            return self._client[database or self.name].command(
                self._limited(command), read_preference=self._preference, codec_options=_CODEC
            )

    def documents(
        self, command: Mapping[str, Any], *, about: str = "", database: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """The documents of the cursor that *command* opens, such as ``find`` or ``listIndexes``."""
        yield from self._cursor(command, about, database, _CODEC)

    def _cursor(
        self, command: Mapping[str, Any], about: str, database: str | None, codec: CodecOptions[Any]
    ) -> Iterator[Any]:
        limited = self._limited(command)
        name = database or self.name
        # the session is ours, as that of the driver's own call would end before the cursor does
        with self._explained(about), self._client.start_session(causal_consistency=False) as session:
            opened = self._client.get_database(name, codec_options=codec).cursor_command(
                limited, read_preference=self._preference, codec_options=codec, session=session
            )
            with opened as cursor:
                yield from cursor

    def find(
        self, collection: str, query: Mapping[str, Any] | None = None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        """The documents of *collection* that match *query*; *options* as in the command ``find``."""
        return self.documents({"find": collection, "filter": query or {}, **options}, about=collection)

    def aggregate(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]], **options: Any
    ) -> Iterator[dict[str, Any]]:
        """What *pipeline* gives on *collection*; *options* as in the command ``aggregate``."""
        return self.documents(_aggregate(collection, pipeline, options), about=collection)

    def batches(self, collection: str) -> Iterator[bytes]:
        """Every document of *collection* in natural order, as concatenated BSON of up to 16 MB."""
        if _driver_refuses(collection):
            yield from _joined(self._cursor({"find": collection, "filter": {}}, collection, None, _RAW))
            return
        source = self._client[self.name].get_collection(collection, read_preference=self._preference)
        with self._explained(collection):
            limit_ms = self._limited({"find": collection})["maxTimeMS"]
            with source.find_raw_batches(max_time_ms=limit_ms) as cursor:
                yield from cursor

    def aggregate_batches(
        self, collection: str, pipeline: Sequence[Mapping[str, Any]], **options: Any
    ) -> Iterator[bytes]:
        """What *pipeline* gives, as concatenated BSON."""
        return _joined(self._cursor(_aggregate(collection, pipeline, options), collection, None, _RAW))

    def explain(self, command: Mapping[str, Any], *, run: bool = True) -> dict[str, Any]:
        """How the server runs *command*: a find, a count or a pipeline, with the figures of a *run* of it."""
        name, about = next(iter(command.items()))
        explained = {**command, "cursor": {}} if name == "aggregate" else dict(command)
        verbosity = "executionStats" if run else "queryPlanner"
        return self.command({"explain": explained, "verbosity": verbosity}, about=str(about))

    def _limited(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """*command* with the time limit and without temporary files on the server; refused if no read."""
        require_read(command)
        # a pipeline of a server of today writes temporary files unless it is told not to
        bounded = {"allowDiskUse": False} if next(iter(command)) == "aggregate" else {}
        return {**command, **bounded, "maxTimeMS": int(self.timeout_s * 1000)}

    @contextmanager
    def _explained(self, about: str) -> Iterator[None]:
        try:
            yield
        except (PyMongoError, BSONError) as exc:
            raise explained(exc, self.shown, about) from exc


def connect_read_only(
    url: str,
    secret: str | None = None,
    *,
    secret_options: Mapping[str, str] | None = None,
    timeout_s: float = 300.0,
) -> ReadOnlyDatabase:
    """The database that *url* names, opened for reading.

    *secret* is the password that *url* leaves out, *secret_options* are options of a URL that it leaves
    out for the same reason. *timeout_s* limits each command on the server. Raises SourceUnreachable (no
    server, wrong login), SourceError (the URL), ServerTooOld, NotAuthorized.
    """
    shown = without_secret(url)
    options: dict[str, Any] = {
        **(secret_options or {}),
        "appname": READER,
        "retryReads": True,
        "retryWrites": False,
        "connectTimeoutMS": _SELECTION_MS,
        "socketTimeoutMS": int(timeout_s * 1000) + 10_000,
        "uuidRepresentation": "standard",
        "tz_aware": True,
    }
    if secret:
        options["password"] = secret
    for name, value in (
        ("readPreference", "secondaryPreferred"),
        ("serverSelectionTimeoutMS", _SELECTION_MS),
    ):
        if f"{name}=".lower() not in url.lower():
            options[name] = value
    member = _Member()
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(url, server_selector=member, **options)
    except (PyMongoError, ValueError, TypeError, OSError) as exc:
        raise _unusable(exc, shown, url) from None  # the driver's words may repeat a secret
    try:
        name = client.get_default_database().name
    except PyMongoError as exc:
        with client:
            raise SourceError(f"{shown}: no database is named: {_choices(client)}") from exc
    try:
        database = ReadOnlyDatabase(client, name, shown=shown, timeout_s=timeout_s, member=member)
        _require_access(database)
    except BaseException:
        client.close()
        raise
    return database


def reading_of(client: MongoClient[dict[str, Any]], name: str, *, timeout_s: float) -> ReadOnlyDatabase:
    """The database *name* of *client*, a server of our own, through the same reading path."""
    return ReadOnlyDatabase(client, name, shown=name, timeout_s=timeout_s)


def _choices(client: MongoClient[dict[str, Any]]) -> str:
    """What to do about a URL without a database, with the names to choose from where they can be had."""
    how = "write mongodb://host:port/database"
    try:
        listed = client.admin.command(
            {"listDatabases": 1, "nameOnly": True, "maxTimeMS": _SELECTION_MS},
            read_preference=client.read_preference,
        )
    except PyMongoError:  # the URL is what is wrong, so it is what the message is about
        return how
    names = [each["name"] for each in listed["databases"] if each["name"] not in ("admin", "config", "local")]
    if not names:
        return how
    return f"{how}; the server has {', '.join(names[:10])}{' …' if len(names) > 10 else ''}"


def _require_access(database: ReadOnlyDatabase) -> None:
    """Fail here, once, where the server asks for a login. Raises SourceUnreachable, NotAuthorized."""
    command = {"listCollections": 1, "nameOnly": True, "authorizedCollections": True, "cursor": {}}
    database.command(command)


def topology(hello: Mapping[str, Any]) -> Topology:
    """What the server is that replied *hello*. Raises SourceUnreachable for a member that gives no data.

    Source: MongoDB manual, "hello"; specification "Server Discovery and Monitoring".
    """
    if hello.get("msg") == "isdbgrid":
        return "mongos"
    if hello.get("secondary"):
        return "secondary"
    if hello.get("isWritablePrimary") or hello.get("ismaster"):
        return "primary" if hello.get("setName") else "standalone"
    state = "an arbiter" if hello.get("arbiterOnly") else "a member that is starting, recovering or removed"
    raise SourceUnreachable(
        f"{hello.get('me') or 'the server'} is {state}, which gives no data: name a primary or a secondary"
    )


def supported_version(numbers: Sequence[int], written: str, shown: str) -> tuple[int, int, int]:
    """The version of *numbers*, as ``versionArray`` has them. Raises ServerTooOld below the oldest."""
    if tuple(numbers[:2]) < OLDEST_SUPPORTED:
        oldest = ".".join(str(number) for number in OLDEST_SUPPORTED)
        raise ServerTooOld(f"{shown}: MongoDB {written} is too old: the oldest that is supported is {oldest}")
    return numbers[0], numbers[1], numbers[2]


def require_read(command: Mapping[str, Any]) -> None:
    """Refuse what is not a read. Raises BadInput, which names it."""
    name = next(iter(command), "")
    if name not in _READS:
        raise BadInput(f"{name!r} is not among the commands that a named database is read with")
    if name == "profile" and command["profile"] != -1:
        raise BadInput("the profiler of a named database is asked for its level and not changed")
    if name == "usersInfo" and command.get("showCredentials"):
        raise BadInput("the verifiers of passwords are not asked for")
    if name == "explain":
        explained_name = next(iter(command["explain"]), "")
        if explained_name not in _EXPLAINED:
            raise BadInput(f"{explained_name!r} of a named database is not explained: it is no read")
    _require_harmless(command)


def _require_harmless(part: Any) -> None:
    if isinstance(part, Mapping):
        for name, value in part.items():
            reason = _REFUSED.get(name)
            if reason is None and str(name).startswith("$_internal"):
                reason = "it is the server's own"
            if reason:
                raise BadInput(f"{name} is not sent to a named database: {reason}")
            _require_harmless(value)
    elif isinstance(part, (list, tuple)):
        for each in part:
            _require_harmless(each)


def without_secret(url: str) -> str:
    """*url* as it may be shown: no password, no token of a login's mechanism."""
    scheme, separator, rest = url.partition("://")
    # the last @ ends the login, whatever it holds that should have been encoded
    login, at, place = rest.rpartition("@")
    hosts, _, query = place.partition("?")
    kept = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if not _SECRETS.fullmatch(name)
        and not (name.lower() == "authmechanismproperties" and "token" in value.lower())
    ]
    shown_login = quote(unquote(login.partition(":")[0]), safe="") + "@" if at else ""
    shown_query = f"?{urlencode(kept, safe=':,/')}" if kept else ""
    return f"{scheme}{separator}{shown_login}{hosts}{shown_query}"


def explained(exc: BaseException, shown: str, about: str = "") -> SourceError | ServerTooOld:
    """*exc* of the driver as an error in one line: what, where and what to do."""
    where = f"{shown}: {about}" if about else shown
    if isinstance(exc, ServerSelectionTimeoutError):
        return SourceUnreachable(f"{shown}: {_why_unreachable(str(exc), shown)}")
    if isinstance(exc, NetworkTimeout) or (isinstance(exc, OperationFailure) and exc.code in _TIME_LIMIT):
        return SourceTimeout(f"{where}: the time limit was reached: give more by --timeout, or a sample")
    if isinstance(exc, OperationFailure):
        return _explained_failure(exc, shown, where)
    if isinstance(exc, ConfigurationError) and "wire version" in str(exc):
        oldest = ".".join(str(number) for number in OLDEST_SUPPORTED)
        return ServerTooOld(f"{shown}: the server is too old: the oldest that is supported is {oldest}")
    if isinstance(exc, ConfigurationError):
        return _unusable(exc, shown)
    if isinstance(exc, BSONError):
        return SourceError(f"{where}: the server sent a document that is not valid BSON: {_line(exc)}")
    if isinstance(exc, (AutoReconnect, InvalidOperation)):
        return SourceUnreachable(f"{shown}: the connection was lost: is the server up, and may you reach it?")
    return SourceError(f"{where}: {_line(exc)}")


def _explained_failure(exc: OperationFailure, shown: str, where: str) -> SourceError:
    said = str((exc.details or {}).get("errmsg") or _line(exc))
    if exc.code in _WRONG_LOGIN or "bad auth" in said or "AuthenticationFailed" in said:
        return SourceUnreachable(
            f"{shown}: the server refuses the user or the password: check both, and authSource, "
            "the database that the user was created in"
        )
    if exc.code in _NOT_AUTHORIZED and "requires authentication" in said:
        return SourceUnreachable(
            f"{shown}: the server asks for a login: write mongodb://user:password@host:port/database"
        )
    if exc.code in _NOT_AUTHORIZED:
        return NotAuthorized(f"{where}: the login may not read it: grant it the role read on the database")
    if exc.code == 292:
        return SourceError(f"{where}: it does not fit the server's memory, and its disk is left alone")
    return SourceError(f"{where}: {said.splitlines()[0] if said else 'the server gives no reason'}")


def _why_unreachable(said: str, shown: str) -> str:
    """The reason of a server that was not found, as far as the driver's words *said* hold one."""
    # a socket's path is no host's name that a certificate could be of: the driver trips over it
    if any(word in said for word in ("SSL", "CERTIFICATE", "certificate", "'idna'")):
        return "the encrypted connection failed: check tls, tlsCAFile and tlsCertificateKeyFile in the URL"
    if "ReplicaSet" in said and "replicaset=" not in shown.lower():
        return (
            "no member of its replica set answers under the address it has there: add directConnection=true"
            " to the URL to read the one that it names"
        )
    if "replicaset=" in shown.lower():
        return "no member of a replica set of that name answers: is it up, and is replicaSet right?"
    if "Name or service not known" in said or "nodename nor servname" in said or "getaddrinfo" in said:
        return "the host's name is not known: is it right?"
    return "no server answers: is it up, and may you reach it?"


def _secrets(url: str) -> set[str]:
    """The parts of the password in *url*, as it is written and as it is meant."""
    written = url.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return {*re.split(r"[/?#@:]", written), unquote(written)} - {""}


def _unusable(exc: BaseException, shown: str, url: str = "") -> SourceError:
    """Why *url* cannot be used, without the driver's words where they repeat its secret."""
    said = _line(exc)
    if "password is required" in said.lower():
        return SourceUnreachable(f"{shown}: the server asks for a password: put it in the URL")
    if "dns" in said.lower() or "SRV" in said:
        return SourceUnreachable(
            f"{shown}: its SRV record is not found: is the name right, and DNS reachable?"
        )
    if isinstance(exc, OSError):
        return SourceError(f"{shown}: a file that it names cannot be read: {exc.strerror or said}")
    reason = "" if any(each in said for each in _secrets(url)) else f": {said}"
    return SourceError(
        f"{shown} is not a MongoDB URL that can be used{reason}; write mongodb://user@host:port/database, "
        "with @ : / ? # % in a user or a password percent-encoded"
    )


def _line(exc: BaseException) -> str:
    words = str(exc).splitlines()
    return words[0] if words else type(exc).__name__


def _aggregate(
    collection: str, pipeline: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
) -> dict[str, Any]:
    return {"aggregate": collection, "pipeline": list(pipeline), "cursor": {}, **options}


def _driver_refuses(collection: str) -> bool:
    """Names that a server can have and the driver's collections cannot: ``a..b``, ``a.``, ``a$b``."""
    return ".." in collection or "$" in collection or collection.startswith(".") or collection.endswith(".")


def _joined(documents: Iterator[RawBSONDocument]) -> Iterator[bytes]:
    """The documents in batches of about 4 MB."""
    held: list[bytes] = []
    size = 0
    for document in documents:
        held.append(bytes(document.raw))
        size += len(document.raw)
        if size >= _BATCH_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


__all__ = [
    "READER",
    "ReadOnlyDatabase",
    "connect_read_only",
    "reading_of",
    "require_read",
    "supported_version",
    "topology",
    "without_secret",
]
