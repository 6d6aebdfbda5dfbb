"""The SQL files under sql/: found, read, and run with parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

_PACKAGE = Path(__file__).resolve().parent
_HEADER = re.compile(r"^--\s*(?P<rest>.*)$")
_FIELD = re.compile(r"(?P<key>[a-z][a-z_ ]*): (?P<value>.*?)(?=\s{2,}[a-z][a-z_ ]*: |$)")


@cache
def asset_root(name: str) -> Path:
    """The folder *name* ("sql", "notebooks") of the wheel, or else of the checkout."""
    bundled = _PACKAGE / "_bundled" / name
    return bundled if bundled.is_dir() else _PACKAGE.parent / name


def path(name: str) -> Path:
    """The path of the SQL file *name*, such as ``oltp/checks/0001_missing_primary_key.sql``."""
    return asset_root("sql") / name


@cache
def read(name: str) -> str:
    """The text of the SQL file *name*."""
    return path(name).read_text(encoding="utf-8")


def files(folder: str) -> list[str]:
    """The names of the SQL files in *folder*, in the order of their names."""
    root = asset_root("sql")
    return [str(found.relative_to(root)) for found in sorted((root / folder).glob("*.sql"))]


def header(name: str) -> dict[str, str]:
    """The ``-- key: value`` pairs at the head of the SQL file *name*.

    Two or more spaces separate several pairs on one line.
    """
    fields: dict[str, str] = {}
    for line in read(name).splitlines():
        comment = _HEADER.match(line)
        if not comment:
            break
        for pair in _FIELD.finditer(comment["rest"]):
            fields[pair["key"]] = pair["value"].strip()
    return fields


def fetch(conn: Connection, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """The rows of the one statement in the SQL file *name*, as dictionaries.

    Values travel as parameters (``%(schema)s``); a literal ``%`` in the file is written ``%%``.
    """
    with conn.cursor() as cur:
        cur.execute(read(name), parameters or {})
        names = [column.name for column in cur.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cur.fetchall()]


def run(conn: Connection, names: Sequence[str], parameters: Mapping[str, Any] | None = None) -> None:
    """Execute each of the SQL files *names* in turn; without *parameters*, ``%`` stands for itself."""
    with conn.cursor() as cur:
        for name in names:
            cur.execute(read(name), parameters)
