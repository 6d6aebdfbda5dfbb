"""What the architect looks at: the built-in example, a .sql file, a live database, or a dump of one.

A source that the workbench made is its own to change. A source that the user named by URL is only
read: every transaction on it is READ ONLY, with statement and lock time-outs; what must write
happens in a scratch copy of its structure on the engine.
"""

from __future__ import annotations

import atexit
import contextlib
import gzip
import hashlib
import json
import os
import re
import shlex
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import psycopg2
import psycopg2.extensions
from pymongo import uri_parser
from pymongo.errors import PyMongoError

from workbench import example, script, sql
from workbench.engines.postgres import (
    Connection,
    Server,
    default_binaries,
    describe_version,
    engine,
    require_supported,
)
from workbench.errors import BadInput, EngineError, SourceError, SourceUnreachable
from workbench.script import LoadReport

EXAMPLE = "ecommerce"
_SHARED = "WORKBENCH_SHARED_SOURCE"
_PASSWORD = "PGPASSWORD"  # noqa: S105 - the name of libpq's variable
_SECRET_PARAMETERS = frozenset({"password", "sslpassword", "oauth_client_secret"})
# where a user, a password or a name holds a bare @ / ? or #, what ends where is a guess
ENCODED_URL = re.compile(r"[^:/?#]+://(?:[^:@/?#]*(?::[^@/?#]*)?@)?[^@?#]*(?:\?[^@#]*)?", re.DOTALL)
_POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")

_MONGODB_SCHEMES = ("mongodb", "mongodb+srv")
_MONGODB_PASSWORD = "WORKBENCH_MONGODB_PASSWORD"  # noqa: S105 - the name of a variable
_MONGODB_OPTIONS = "WORKBENCH_MONGODB_OPTIONS"  # the secret ones, as in a URL's query
_MONGODB_SECRET_OPTIONS = frozenset(
    {"authmechanismproperties", "tlscertificatekeyfilepassword", "proxypassword"}
)
_SRV_OPTIONS = frozenset({"srvservicename", "srvmaxhosts"})  # which no other URL may have

_ARCHIVE_MAGIC = b"\x6d\xe2\x99\x81"
EXPORT_SUFFIXES = tuple(f".{kind}{packed}" for kind in ("json", "jsonl", "ndjson") for packed in ("", ".gz"))
_BSON_SUFFIXES = (".bson", ".bson.gz", ".metadata.json", ".metadata.json.gz")
_DUMP_SUFFIXES = (".archive", ".archive.gz", *_BSON_SUFFIXES, *EXPORT_SUFFIXES)

_SOURCES = (
    f"{EXAMPLE!r}, a .sql file, a postgresql:// or mongodb:// URL, or a dump of mongodump or mongoexport"
)

Kind = Literal["example", "file", "database", "collections", "dump"]


@dataclass(frozen=True)
class Options:
    """How a source is opened. *scale* and *seed* concern the example, *strict* and *encoding* a file.

    *timeout_s* limits each statement; on a named database *lock_timeout_s* limits the wait for a lock.
    """

    scale: float = 0.01
    seed: int = 1
    strict: bool = False
    timeout_s: float = 300.0
    lock_timeout_s: float = 2.0
    encoding: str | None = None

    def __post_init__(self) -> None:
        if not 0 < self.timeout_s <= 86_400:
            raise BadInput(f"a time-out of {self.timeout_s} s cannot be: give more than 0 and at most 86400")


@dataclass(frozen=True)
class Source:
    """A source by name. *spec* is what may be shown or passed on: a URL in it carries no secret.

    *secret* is the password; *secret_options* are the options of a MongoDB URL that hold one, by name.
    """

    kind: Kind
    spec: str
    title: str
    secret: str | None = field(default=None, repr=False)
    secret_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> Path:
        return Path(self.spec)


def resolve(spec: str) -> Source:
    """The source that *spec* names, without opening it.

    Raises SourceError for a path that is not a readable file, a directory, a URL of another system.
    """
    spec = spec.strip()
    if not spec:
        raise SourceError(f"no source is named: give {_SOURCES}")
    if spec == EXAMPLE:
        return Source("example", EXAMPLE, "E-commerce example")
    if "://" in spec:
        return _resolve_url(spec)
    path = Path(spec).expanduser()
    if not path.exists():
        raise SourceError(f"{spec}: there is no such file (sources are {_SOURCES})")
    if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
        raise SourceError(f"{spec}: may not be read: give yourself read permission on it")
    if not path.is_file() and not _is_dump_folder(path):
        raise SourceError(
            f"{spec}: is a directory: name one .sql file in it (it has no dump of mongodump or mongoexport)"
        )
    dump = path.is_dir() or path.name.endswith(_DUMP_SUFFIXES) or is_archive(path)
    return Source("dump" if dump else "file", str(path.resolve()), path.resolve().name)


def is_archive(path: Path) -> bool:
    """Whether the file *path* begins as an archive of mongodump does, gzip or not."""
    with path.open("rb") as file:
        begins = file.read(len(_ARCHIVE_MAGIC))
    if begins[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as content:
                begins = content.read(len(_ARCHIVE_MAGIC))
        except (OSError, EOFError, zlib.error):
            return False  # it is damaged: its name says what it should be
    return begins == _ARCHIVE_MAGIC


def _is_dump_folder(path: Path) -> bool:
    """Whether the folder has files of mongodump, its own or a folder a database, or of mongoexport."""
    if not path.is_dir():
        return False
    if any(each.name.endswith((*_BSON_SUFFIXES, *EXPORT_SUFFIXES)) for each in path.iterdir()):
        return True
    folders = (each for each in path.iterdir() if each.is_dir() and os.access(each, os.R_OK | os.X_OK))
    return any(each.name.endswith(_BSON_SUFFIXES) for folder in folders for each in folder.iterdir())


def _resolve_url(spec: str) -> Source:
    scheme = spec.partition("://")[0].lower()
    if scheme in _MONGODB_SCHEMES:
        return _resolve_mongodb(spec, scheme)
    if scheme not in _POSTGRES_SCHEMES:
        raise SourceError(f"a {scheme}:// source is not supported: give {_SOURCES}")
    if not ENCODED_URL.fullmatch(spec):
        raise SourceError(
            "the URL has a character that must be percent-encoded in a user, a password or a name: "
            "write @ as %40, / as %2F, ? as %3F, # as %23"
        )
    shown = re.sub(r"//[^/@]*@", "//", spec)  # whatever is wrong with it, its login is not shown
    try:
        parts = urlsplit(spec)
        secret = unquote(parts.password) if parts.password else None
        login, at, place = parts.netloc.rpartition("@")
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        secret = secret or next((value for name, value in pairs if name == "password"), None)
        kept = [(name, value) for name, value in pairs if name not in _SECRET_PARAMETERS]
        clean = urlunsplit(
            ("postgresql", login.partition(":")[0] + at + place, parts.path, urlencode(kept), "")
        )
        dsn = psycopg2.extensions.parse_dsn(_as_libpq(clean))
    except (ValueError, psycopg2.ProgrammingError) as exc:
        raise SourceError(
            f"{shown} is not a PostgreSQL URL: write postgresql://user@host:port/database"
        ) from exc
    return Source("database", clean, dsn.get("dbname") or dsn.get("user") or "database", secret)


def _resolve_mongodb(spec: str, scheme: str) -> Source:
    """A URL of a MongoDB database. What is secret in it may also come from the environment.

    Raises SourceError for a URL that the driver refuses, and where no database is named.
    """
    login, at, rest = spec.partition("://")[2].rpartition("@")
    user, _, written_password = login.partition(":")
    place, _, query = rest.partition("?")
    hosts, _, database = place.partition("/")
    if "/" in login or "?" in login or "@" in login or "/" in database:
        raise SourceError(
            "the URL has a character that must be percent-encoded in a user, a password or a name: "
            "write @ as %40, / as %2F, ? as %3F"
        )
    pairs = [each for each in re.split("[&;]", query) if each]
    kept = [each for each in pairs if _option_name(each) not in _MONGODB_SECRET_OPTIONS]
    spec_shown = f"{scheme}://{user}{at}{place}" + ("?" + "&".join(kept) if kept else "")
    known = {written_password, *(each.partition("=")[2] for each in pairs if each not in kept)} - {""}
    hidden = {*known, *map(unquote, known)}
    try:
        # a mongodb+srv:// URL as one of its host: to ask its name server is for whoever connects
        checked = [each for each in kept if scheme == "mongodb" or _option_name(each) not in _SRV_OPTIONS]
        login_checked = f"{user}:{written_password}@" if written_password else user + at
        parsed = uri_parser.parse_uri(
            f"mongodb://{login_checked}{hosts}/{database}" + ("?" + "&".join(checked) if checked else "")
        )
        if scheme == "mongodb+srv" and (len(parsed["nodelist"]) != 1 or re.search(r":\d+$", hosts)):
            raise ValueError("mongodb+srv:// takes one host name without a port")
    except (PyMongoError, ValueError, TypeError) as exc:
        said = " ".join(str(exc).split())
        reason = "" if any(each in said for each in hidden) else f" ({said})"
        raise SourceError(
            f"{spec_shown} is not a MongoDB URL{reason}: write mongodb://user@host:port/database"
        ) from None
    if not parsed["database"]:
        named = f"{scheme}://{user}{at}{hosts}/NAME" + ("?" + "&".join(kept) if kept else "")
        raise SourceError(f"{spec_shown} names no database: put its name behind the hosts, {named}")
    if parsed["collection"]:
        raise SourceError(f"{spec_shown} names a collection as well: name the database alone")
    secret = parsed["password"] or (os.environ.get(_MONGODB_PASSWORD) if user else None)
    inherited = os.environ.get(_MONGODB_OPTIONS, "")
    options = dict(parse_qsl(inherited)) | {
        name: unquote(value) for name, _, value in (each.partition("=") for each in pairs if each not in kept)
    }
    return Source("collections", spec_shown, unquote(database), secret or None, options)


def _option_name(pair: str) -> str:
    return unquote(pair.partition("=")[0]).lower()


def _as_libpq(url: str) -> str:
    # urlunsplit writes postgresql:/name where there is neither user nor host
    return re.sub(r"^postgresql:/(?!/)", "postgresql:///", url)


@dataclass
class OpenSource:
    """A source that can be looked at and proved on. Made by `open_source`.

    *connection* shows what is looked at (read-only for a named database); *server* is the engine of
    the proofs; *looked_at_on* and *proved_on* are their descriptions.
    """

    source: Source
    options: Options
    server: Server
    connection: Connection
    sql_url: str = field(repr=False)
    looked_at_on: str
    load: LoadReport | None
    _make_base: Callable[[], str]
    _base: str | None = None
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def read_only(self) -> bool:
        return self.source.kind == "database"

    @property
    def proved_on(self) -> str:
        return self.server.description

    @property
    def base(self) -> str:
        """The database that scratch copies are copied from; nobody may stay connected to it."""
        if self._base is None:
            self._base = self._make_base()
        return self._base

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Connection]:
        """A connection to a fresh copy, dropped after the block.

        For the example it is a superuser's. What a script made is other people's code: its copy is
        owned and opened by the role without rights that loaded it, so that no function, trigger or
        index expression of it runs as anybody else. The copy of a named database has its structure
        and no rows. Raises SourceError where the named database does not allow its structure to be
        dumped.
        """
        with (
            _copy(self.server, self.base, self.load, "proof") as (access, name),
            access.session(name) as conn,
        ):
            yield conn

    def close(self) -> None:
        """Give everything back; only for a source from `hold_source`, twice does no harm."""
        self._held.close()


def hold_source(spec: str, options: Options | None = None) -> OpenSource:
    """For a notebook: the engine and *spec*, open until `close()` or the end of the process."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(engine())
        opened = stack.enter_context(open_source(spec, server, options))
        opened._held = stack.pop_all()
    atexit.register(opened.close)
    return opened


@contextlib.contextmanager
def open_source(spec: str, server: Server, options: Options | None = None) -> Iterator[OpenSource]:
    """Open *spec* for reading and proving; whatever was made for it is gone after the block.

    Raises SourceError, SourceUnreachable, ServerTooOld, ScriptError.
    """
    source = resolve(spec)
    options = options or Options()
    if source.kind in ("collections", "dump"):
        raise SourceError(
            f"{source.spec} holds collections, and the OLTP notebook reads SQL: "
            f"run workbench nosql review --source {shlex.quote(source.spec)}"
        )
    if source.kind == "database":
        with _open_database(source, server, options) as opened:
            yield opened
        return
    with (
        _base_of(source, server, options) as (base, load),
        _copy(server, base, load, "source") as (access, name),
        access.session(name) as conn,
    ):
        yield OpenSource(
            source,
            options,
            server,
            conn,
            sql_url=access.url(name),
            looked_at_on=server.description,
            load=load,
            _make_base=lambda: base,
        )


@contextlib.contextmanager
def _copy(server: Server, base: str, load: LoadReport | None, label: str) -> Iterator[tuple[Server, str]]:
    """A copy of *base* and the server as whoever may work in it: the script's own role, or ourselves."""
    owner, access = (load.role, script.as_loader(server, load)) if load else (None, server)
    with server.scratch_database(template=base, owner=owner, label=label) as name:
        yield access, name


@contextlib.contextmanager
def changed_copy(opened: OpenSource, change: Callable[[Connection], None]) -> Iterator[OpenSource]:
    """*opened* as it would be after *change*, in copies that are dropped after the block.

    Raises SourceError for a named database, whose copy has no rows.
    """
    if opened.read_only:
        raise SourceError(f"{opened.source.spec}: a copy of a named database has no rows to change")
    with _copy(opened.server, opened.base, opened.load, "changed") as (access, base):
        with access.session(base) as conn:
            change(conn)
        with (
            _copy(opened.server, base, opened.load, "source") as (_, name),
            access.session(name) as conn,
        ):
            yield replace(
                opened,
                connection=conn,
                sql_url=access.url(name),
                _make_base=lambda: base,
                _base=base,
                _held=contextlib.ExitStack(),
            )


@contextlib.contextmanager
def shared_source(spec: str, server: Server | None, options: Options | None = None) -> Iterator[Source]:
    """Prepare *spec* once for the notebooks that run as children of this process during the block.

    A file is loaded once instead of once a notebook; a secret travels to them in the environment,
    never in a parameter, which notebooks record. A source of collections needs no *server*.
    """
    source = resolve(spec)
    options = options or Options()
    with contextlib.ExitStack() as stack:
        if source.kind == "collections":
            if source.secret:
                stack.enter_context(_environment(_MONGODB_PASSWORD, source.secret))
            if source.secret_options:
                stack.enter_context(_environment(_MONGODB_OPTIONS, urlencode(source.secret_options)))
        elif source.kind == "dump":
            pass  # each notebook reads the files, of which nothing is made
        elif server is None:
            raise EngineError(f"{source.spec} needs PostgreSQL, and none was started for it")
        elif source.kind == "database":
            with _open_database(source, server, options):
                pass  # a server that cannot be reached fails here, once
            if source.secret:
                stack.enter_context(_environment(_PASSWORD, source.secret))
        else:
            base, load = stack.enter_context(_base_of(source, server, options))
            shared = {"key": _key(source, options), "base": base, "load": load.as_dict() if load else None}
            # by a file that only we may read: it holds a role's password, and can be longer than a variable
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-")))
            (folder / "shared.json").write_text(json.dumps(shared))
            stack.enter_context(_environment(_SHARED, str(folder / "shared.json")))
        yield source


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    former = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former


def _key(source: Source, options: Options) -> str:
    """What decides the content of a source's base database."""
    if source.kind == "example":
        parts = [example.digest(), repr(options.scale), repr(options.seed)]
    else:
        parts = [script.digest(source.path), str(source.path), repr(options)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


@contextlib.contextmanager
def _base_of(source: Source, server: Server, options: Options) -> Iterator[tuple[str, LoadReport | None]]:
    shared = json.loads(Path(os.environ[_SHARED]).read_text()) if _SHARED in os.environ else None
    if shared and shared["key"] == _key(source, options):
        yield shared["base"], LoadReport.from_dict(shared["load"]) if shared["load"] else None
    elif source.kind == "example":
        yield (
            server.template_database("ecommerce_" + _key(source, options), _build_example(server, options)),
            None,
        )
    else:
        with script.loaded_script(
            server, source.path, strict=options.strict, timeout_s=options.timeout_s, encoding=options.encoding
        ) as (name, load):
            with script.as_loader(server, load).session(name) as conn:
                _require_tables(conn, source)
                conn.execute("analyze")
            yield name, load


def _build_example(server: Server, options: Options) -> Callable[[str], None]:
    def build(name: str) -> None:
        with server.session(name) as conn:
            example.apply_schema(conn)
            example.generate(conn, scale=options.scale, seed=options.seed)
            conn.execute("vacuum (analyze)")

    return build


@contextlib.contextmanager
def _open_database(source: Source, server: Server, options: Options) -> Iterator[OpenSource]:
    with contextlib.closing(_connect_read_only(source, options)) as conn, contextlib.ExitStack() as stack:
        require_supported(conn, source.spec)
        _require_tables(conn, source)

        def make_base() -> str:
            dumped = stack.enter_context(_dumped_structure(source, options))
            name, load = stack.enter_context(
                script.loaded_script(server, dumped, timeout_s=options.timeout_s)
            )
            opened.load = load
            return name

        opened = OpenSource(
            source,
            options,
            server,
            conn,
            sql_url=source.spec,
            looked_at_on=f"{describe_version(conn)}, {source.spec}",
            load=None,
            _make_base=make_base,
        )
        yield opened


def _connect_read_only(source: Source, options: Options) -> Connection:
    secret = {"password": source.secret} if source.secret else {}
    try:
        conn: Connection = psycopg2.connect(
            psycopg2.extensions.make_dsn(
                _as_libpq(source.spec), application_name="workbench", connect_timeout=10, **secret
            ),
            connection_factory=Connection,
        )
    except psycopg2.OperationalError as exc:
        raise SourceUnreachable(f"{source.spec}: {_login_problem(str(exc))}") from exc
    # autocommit: between two questions no transaction stays open and holds back the server's vacuum
    conn.set_session(readonly=True, autocommit=True)
    with conn.cursor() as cur:
        cur.execute(
            """
            select pg_catalog.set_config('default_transaction_read_only', 'on', false),
                   pg_catalog.set_config('statement_timeout', %s, false),
                   pg_catalog.set_config('lock_timeout', %s, false),
                   -- psycopg2 swallows an interrupt that comes before it reads a notice
                   pg_catalog.set_config('client_min_messages', 'error', false)
            """,
            [f"{int(options.timeout_s * 1000)}ms", f"{int(options.lock_timeout_s * 1000)}ms"],
        )
    return conn


def _require_tables(conn: Connection, source: Source) -> None:
    if not sql.fetch(conn, "source/holds_tables.sql")[0]["holds_tables"]:
        raise SourceError(
            f"{source.spec}: there is no table and no view in it, so there is nothing to look at"
        )


def _login_problem(message: str) -> str:
    words = message.strip().splitlines()[0]
    if "no password supplied" in words:
        return f"the server asks for a password: put it in the URL, in {_PASSWORD} or in ~/.pgpass"
    if "password authentication failed" in words:
        return "the server refuses the user or the password: check both"
    return f"{words.rpartition('FATAL: ')[2].strip()}: is the server up, and may you reach it?"


@contextlib.contextmanager
def _dumped_structure(source: Source, options: Options) -> Iterator[Path]:
    """A schema-only dump of a named database, made by pg_dump inside a READ ONLY transaction."""
    programs = default_binaries()
    environment = {
        **os.environ,
        **programs.environment(),
        "PGOPTIONS": " ".join(
            ["-c default_transaction_read_only=on", f"-c statement_timeout={int(options.timeout_s * 1000)}"]
        ),
        "PGAPPNAME": "workbench",
        "PGCONNECT_TIMEOUT": "10",
    }
    if source.secret:
        environment[_PASSWORD] = source.secret
    with tempfile.TemporaryDirectory(prefix="workbench-") as folder:
        dumped = Path(folder) / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', source.title)}.sql"
        arguments = [
            str(programs.path("pg_dump")),
            "--schema-only",
            f"--lock-wait-timeout={int(options.lock_timeout_s * 1000)}ms",
            "--no-password",
            f"--file={dumped}",
            f"--dbname={_as_libpq(source.spec)}",
        ]
        made = subprocess.run(
            arguments, capture_output=True, text=True, env=environment, cwd=folder, stdin=subprocess.DEVNULL
        )
        if made.returncode:
            words = [
                line for line in made.stderr.splitlines() if "error:" in line
            ] or made.stderr.splitlines()[-1:]
            reason = words[0].partition("error: ")[2] or words[0] if words else "no message"
            raise SourceError(
                f"{source.spec}: its structure cannot be dumped, so nothing can be proved on a copy: {reason}"
            )
        yield dumped
