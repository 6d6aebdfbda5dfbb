"""Extended statistics of a source, written into the clone byte by byte.

PostgreSQL 18 has no function that restores them. Layouts: mvdistinct.c, dependencies.c, mcv.c; they are
the same in PostgreSQL 13 to 18.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import sql as composed
from psycopg2.extensions import connection as AnyConnection

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection

_NDISTINCT_MAGIC, _DEPENDENCIES_MAGIC, _TYPE = 0xA352BFA4, 0xB4549A2C, 1
_DATA = "left join pg_catalog.pg_statistic_ext_data d on d.stxoid = e.oid"
_INHERITED_SINCE = 150_000


@dataclass(frozen=True)
class ExtendedStatistics:
    """A statistics object as its source shows it; *names* are its columns by their number there."""

    schema_name: str
    statistics_name: str
    inherited: bool
    names: Mapping[str, str] | None
    kinds: Sequence[str]
    ndistinct: str | None
    dependencies: str | None
    mcv: memoryview | None
    has_mcv: bool
    readable: bool

    @property
    def name(self) -> str:
        return qualified(self.schema_name, self.statistics_name)


def read_extended(source: AnyConnection) -> list[ExtendedStatistics]:
    """The extended statistics of the database behind *source*, an entry each and for inheritance one more."""
    has_inherited = source.server_version >= _INHERITED_SINCE
    with source.cursor() as cur:
        cur.execute("select pg_catalog.has_table_privilege('pg_catalog.pg_statistic_ext_data', 'select')")
        (all_of_it,) = cur.fetchone() or (False,)
        fields = {
            "inherited": "coalesce(v.inherited, false)" if has_inherited else "false",
            "mcv": "d.stxdmcv::bytea" if all_of_it else "null::bytea",
            "data": (_DATA + (" and d.stxdinherit = v.inherited" if has_inherited else ""))
            if all_of_it
            else "",
        }
        text = composed.SQL(sql.read("proof/whatif/extended_statistics.sql")).format(
            **{name: composed.SQL(value) for name, value in fields.items()}
        )
        cur.execute(text)
        names = [column.name for column in cur.description or ()]
        return [ExtendedStatistics(**dict(zip(names, row, strict=True))) for row in cur.fetchall()]


def restore_extended(admin: Connection, found: Sequence[ExtendedStatistics]) -> list[str]:
    """Write *found* into the clone behind *admin*; what could not be, a line each."""
    if not found:
        return []
    targets = {
        (row["schema_name"], row["statistics_name"]): row
        for row in sql.fetch(admin, "proof/whatif/extended_targets.sql")
    }
    lost: list[str] = []
    restored: list[tuple[int, bool, bytes | None, bytes | None, bytes | None]] = []
    for each in found:
        target = targets.get((each.schema_name, each.statistics_name))
        if target is None:
            lost.append(f"statistics object {each.name}: it is not in the clone")
            continue
        if not each.readable:
            lost.append(f"statistics object {each.name}: only the owner of its table may read it")
            continue
        if each.has_mcv and each.mcv is None:
            lost.append(f"common values of statistics object {each.name}: only a superuser reads them whole")
        if "e" in each.kinds:
            lost.append(f"statistics of the expressions of statistics object {each.name}")
        numbers = _renumbered(each.names or {}, target["numbers"] or {})
        data = (
            _ndistinct(each.ndistinct, numbers),
            _dependencies(each.dependencies, numbers),
            bytes(each.mcv) if each.mcv is not None else None,
        )
        if any(data):
            restored.append((target["oid"], each.inherited, *data))
    if restored:
        sql.run(admin, ["proof/whatif/extended_casts.sql"])
        columns = ("objects", "inherited", "ndistinct", "dependencies", "mcv")
        given = dict(zip(columns, map(list, zip(*restored, strict=True)), strict=True))
        sql.run(admin, ["proof/whatif/restore_extended.sql"], given)
    return lost


def _renumbered(names: Mapping[str, str], numbers: Mapping[str, int]) -> dict[int, int]:
    """Column numbers of the source to those of the clone, which has no dropped columns."""
    return {int(number): numbers[name] for number, name in names.items() if name in numbers}


def _ndistinct(text: str | None, numbers: Mapping[int, int]) -> bytes | None:
    """``{"2, 3": 20}`` as pg_ndistinct stores it; expressions have negative numbers, which stay."""
    if not text:
        return None
    items = b""
    told: dict[str, float] = json.loads(text)
    for key, distinct in told.items():
        members = [_number(part, numbers) for part in key.split(",")]
        items += struct.pack(f"<di{len(members)}h", distinct, len(members), *members)
    return struct.pack("<III", _NDISTINCT_MAGIC, _TYPE, len(told)) + items


def _dependencies(text: str | None, numbers: Mapping[int, int]) -> bytes | None:
    """``{"2, 3 => 4": 0.9}`` as pg_dependencies stores it: what determines, then what is determined."""
    if not text:
        return None
    items = b""
    told: dict[str, float] = json.loads(text)
    for key, degree in told.items():
        members = [_number(part, numbers) for part in key.replace("=>", ",").split(",")]
        items += struct.pack(f"<dh{len(members)}h", degree, len(members), *members)
    return struct.pack("<III", _DEPENDENCIES_MAGIC, _TYPE, len(told)) + items


def _number(part: str, numbers: Mapping[int, int]) -> int:
    number = int(part)
    return number if number < 0 else numbers[number]
