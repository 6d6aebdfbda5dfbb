"""The built-in e-commerce example: its schema as migrations, its generator, its declared workload."""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import connection as Connection

from workbench import sql
from workbench.errors import BadInput, FeatureUnavailable, ScriptFailed

SCHEMA = "oltp/schema"
MIGRATIONS = "oltp/migrations"
GENERATOR = "oltp/generate"
WORKLOAD = "oltp/queries"
OLDEST_SERVER = 180_000  # uuidv7(), foreign keys that can be put out of force
LARGEST_SCALE = 100

_FILE_NAME = re.compile(r"(?P<version>\d+)_(?P<name>\w+)\.sql\Z")
_PARAMETER = "parameter "


@dataclass(frozen=True)
class Migration:
    """One step of the schema; *version* and *name* come from the file's name, *checksum* is its SHA-256."""

    version: int
    name: str
    file: str
    checksum: str


@dataclass(frozen=True)
class GeneratedData:
    """What the generator wrote: *rows* by table of the schema shop, *order_items* of them in orders."""

    scale: float
    seed: int
    rows: dict[str, int]
    order_items: int
    elapsed_s: float


@dataclass(frozen=True)
class WorkloadQuery:
    """A query of the declared workload, and the index (schema.index) that is there for it.

    *sql* takes its values as ``%(name)s``; *parameters* has for each a query that yields a sample of
    one row and one column. *minimum_scale* is the least scale of data at which the index pays.
    """

    name: str
    answers: str
    frequency_per_hour: int
    index: str
    minimum_scale: float
    sql: str
    parameters: dict[str, str] = field(default_factory=dict)


def migrations() -> list[Migration]:
    """The steps of the schema in the order of their versions."""
    return [_migration(file) for file in sql.files(SCHEMA)]


def apply_schema(conn: Connection) -> list[str]:
    """Bring the database to the newest schema; the names of the migrations applied now, none if it was there.

    Each migration runs in one transaction with its row in shop.schema_migrations: one that fails
    leaves nothing of itself. Raises FeatureUnavailable below PostgreSQL 18, BadInput where *conn* is
    inside a transaction or the database has migrations that differ from these, ScriptFailed where
    PostgreSQL refuses one.
    """
    _require_server(conn)
    _require_idle(conn)
    with conn:
        sql.run(conn, [f"{MIGRATIONS}/lock.sql", f"{MIGRATIONS}/ledger.sql"])
    return [migration.name for migration in migrations() if _apply(conn, migration)]


def generate(conn: Connection, *, scale: float = 0.01, seed: int = 1) -> GeneratedData:
    """Fill an empty shop: about 1,000,000 order items times *scale*; scale and seed decide every row.

    One transaction, then VACUUM and ANALYZE. Raises BadInput for a scale that is not above 0 and at
    most 100, for a seed outside 0 to 2^31 - 1, where *conn* is inside a transaction, and where the
    shop is missing or has rows.
    """
    _require_scale(scale)
    _require_seed(seed)
    _require_idle(conn)
    started = time.monotonic()
    with conn:
        _require_empty_shop(conn)
        first, *others = sql.files(GENERATOR)
        sql.run(conn, [first], {"scale": scale, "seed": seed})
        sql.run(conn, others)
    with _autocommit(conn):
        sql.run(conn, ["oltp/vacuum.sql"])
        rows = {row["table_name"]: row["rows"] for row in sql.fetch(conn, "oltp/row_counts.sql")}
    return GeneratedData(
        scale=scale,
        seed=seed,
        rows=rows,
        order_items=rows["order_items"],
        elapsed_s=time.monotonic() - started,
    )


def workload() -> list[WorkloadQuery]:
    """The declared workload, in the order of the files' names."""
    return [_workload_query(file) for file in sql.files(WORKLOAD)]


def digest() -> str:
    """A hash of all that `apply_schema` and `generate` run: equal digests make equal databases."""
    found = hashlib.sha256()
    for folder in (MIGRATIONS, SCHEMA, GENERATOR):
        for file in sql.files(folder):
            found.update(f"{file}\0{sql.read(file)}\0".encode())
    return found.hexdigest()


def _migration(file: str) -> Migration:
    parts = _FILE_NAME.search(file)
    if parts is None:
        raise BadInput(f"{file}: the name of a migration is NNN_name.sql")
    checksum = hashlib.sha256(sql.read(file).encode()).hexdigest()
    return Migration(int(parts["version"]), parts["name"], file, checksum)


def _apply(conn: Connection, migration: Migration) -> bool:
    """Whether *migration* had to be applied; concurrent runs wait for each other."""
    with conn:
        sql.run(conn, [f"{MIGRATIONS}/lock.sql"])
        applied = {row["version"]: row for row in sql.fetch(conn, f"{MIGRATIONS}/applied.sql")}
        if migration.version in applied:
            _require_unchanged(migration, applied[migration.version]["checksum"])
            return False
        try:
            sql.run(conn, [migration.file])
        except psycopg2.Error as exc:
            reason = (exc.diag.message_primary or str(exc)).strip()
            raise ScriptFailed(reason, path=migration.file) from exc
        sql.run(
            conn,
            [f"{MIGRATIONS}/record.sql"],
            {"version": migration.version, "migration_name": migration.name, "checksum": migration.checksum},
        )
    return True


def _workload_query(file: str) -> WorkloadQuery:
    header = sql.header(file)
    name = _FILE_NAME.search(file)
    if name is None:
        raise BadInput(f"{file}: the name of a query is NNN_name.sql")
    return WorkloadQuery(
        name=name["name"],
        answers=header[name["name"]],
        frequency_per_hour=int(header["frequency per hour"]),
        index=header["index"],
        minimum_scale=float(header["scale"]),
        sql=sql.read(file),
        parameters={
            key.removeprefix(_PARAMETER): value for key, value in header.items() if key.startswith(_PARAMETER)
        },
    )


@contextlib.contextmanager
def _autocommit(conn: Connection) -> Iterator[None]:
    before = conn.autocommit
    conn.autocommit = True
    try:
        yield
    finally:
        conn.autocommit = before


def _require_server(conn: Connection) -> None:
    if conn.server_version < OLDEST_SERVER:
        raise FeatureUnavailable(
            "uuidv7()",
            f"PostgreSQL {conn.server_version // 10_000}",
            hint="the e-commerce example needs PostgreSQL 18 or newer, such as the embedded one",
        )


def _require_idle(conn: Connection) -> None:
    if conn.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
        raise BadInput("the connection is inside a transaction: commit or roll it back first")


def _require_unchanged(migration: Migration, checksum: str) -> None:
    if checksum != migration.checksum:
        raise BadInput(
            f"migration {migration.version} ({migration.name}) was changed after it had been applied here: "
            "put the change into a new migration"
        )


def _require_scale(scale: float) -> None:
    if not (math.isfinite(scale) and 0 < scale <= LARGEST_SCALE):
        raise BadInput(
            f"scale {scale!r} is not above 0 and at most {LARGEST_SCALE} (1 is about 1,000,000 order items)"
        )


def _require_seed(seed: int) -> None:
    if not 0 <= seed < 2**31:
        raise BadInput(f"seed {seed!r} is not between 0 and {2**31 - 1}")


def _require_empty_shop(conn: Connection) -> None:
    (state,) = sql.fetch(conn, "oltp/generator_state.sql")
    if not state["has_schema"]:
        raise BadInput("the shop's tables are missing: apply the schema first")
    with conn.cursor() as cur:
        cur.execute("select exists (select from shop.users) or exists (select from shop.products)")
        (filled,) = cur.fetchone() or (False,)
    if filled:
        raise BadInput("the shop already has rows: generate into a fresh database")
