"""Retention: partitions ahead of time, and months that leave the log for a file."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import psycopg2
from psycopg2 import sql as composing

from workbench.areas.security.audit.sealing import Anchor, Retirement
from workbench.engines.postgres import Connection
from workbench.errors import BadInput, OutputError


def ensure_partitions(conn: Connection, first: date, last: date, *, schema: str = "audit") -> list[str]:
    """Make the missing monthly partitions of the log from *first* to *last*; the names of those made.

    Entries that waited in the default partition move along, none is lost. Only the audit owner's members may.
    """
    query = composing.SQL("select {}.ensure_partitions(%s, %s)").format(composing.Identifier(schema))
    return [name for (name,) in conn.execute(query, [first, last]).fetchall()]


def retirable_months(conn: Connection, today: date, *, months: int, schema: str = "audit") -> list[date]:
    """The months of the log that ended more than *months* before the month of *today*, oldest first."""
    query = composing.SQL(
        """
        select pg_catalog.to_date(pg_catalog.substr(c.relname, 5), 'YYYY_MM') as month
        from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        where i.inhparent = %s::regclass
            and c.relname ~ '^log_[0-9]{{4}}_[0-9]{{2}}$'
            and pg_catalog.to_date(pg_catalog.substr(c.relname, 5), 'YYYY_MM')
                < pg_catalog.date_trunc('month', %s::timestamp) - pg_catalog.make_interval(months => %s)
        order by month
        """
    ).format()
    log = composing.Identifier(schema, "log").as_string(conn)
    return [month for (month,) in conn.execute(query, [log, today, months]).fetchall()]


def retire_month(
    conn: Connection,
    month: date,
    folder: Path,
    anchors: Sequence[Anchor],
    *,
    drop: bool = False,
    schema: str = "audit",
) -> Retirement:
    """Take *month* out of the log: its entries to a CSV file in *folder*, its partition detached.

    The table stays, append-only, unless *drop*. The newest of *anchors* must cover every entry of the month.
    Raises BadInput where it does not, where there is no such partition, where it is not over yet or where
    the caller may not; nothing is changed then, and no file is left.
    """
    month = month.replace(day=1)
    name = f"log_{month:%Y_%m}"
    if not anchors:
        raise BadInput(
            f"{schema}.{name} cannot be retired without an anchor: seal the trail and keep its anchor first"
        )
    anchor = max(anchors, key=lambda each: each.seal_id)
    path = folder / f"{schema}_{name}.csv"
    if path.exists():
        raise OutputError(f"{path} is there already: name another folder for the export of {schema}.{name}")
    partial = path.with_suffix(".part")
    try:
        with _transaction(conn):
            retirement = _retire(conn, month, name, schema, partial, path, anchor, drop)
        partial.replace(path)
    except psycopg2.errors.UndefinedTable as exc:
        raise BadInput(f"the log has no partition {schema}.{name}") from exc
    except psycopg2.errors.InsufficientPrivilege as exc:
        raise BadInput(f"{exc.diag.message_primary}: only members of the audit owner retire a month") from exc
    except psycopg2.errors.ObjectNotInPrerequisiteState as exc:
        raise BadInput(str(exc.diag.message_primary)) from exc
    finally:
        partial.unlink(missing_ok=True)
    return retirement


@contextlib.contextmanager
def _transaction(conn: Connection) -> Iterator[None]:
    """One transaction of a connection that commits by itself otherwise."""
    conn.execute("begin")
    try:
        yield
    except BaseException:
        conn.execute("rollback")
        raise
    conn.execute("commit")


def _retire(
    conn: Connection,
    month: date,
    name: str,
    schema: str,
    partial: Path,
    path: Path,
    anchor: Anchor,
    drop: bool,
) -> Retirement:
    table = composing.Identifier(schema, name)
    with conn.cursor() as cur:
        cur.execute(composing.SQL("lock table {} in access exclusive mode").format(table))
        exported = composing.SQL(
            "copy (select * from {} order by transaction_id, entry_id) to stdout with (format csv, header)"
        ).format(table)
        with partial.open("wb") as file:
            cur.copy_expert(exported.as_string(conn), file)
        count = cur.rowcount
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        cur.execute(
            composing.SQL("select {}.detach_month(%s, %s, %s, %s, %s)").format(composing.Identifier(schema)),
            [month, digest, count, anchor.seal_id, bytes.fromhex(anchor.hash)],
        )
        if drop:
            cur.execute(composing.SQL("drop table {}").format(table))
    return Retirement(month, count, str(path), digest, f"{schema}.{name}", drop, anchor)
