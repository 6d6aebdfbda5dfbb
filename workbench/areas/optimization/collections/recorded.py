"""What a server has recorded of its operations: its profiler, or the slow queries of its log.

Both are read as entries of one form, that of ``system.profile``.
Source: MongoDB manual, "Database Profiler", "Database Profiler Output", "Log Messages".
"""

from __future__ import annotations

import gzip
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from bson import json_util
from bson.binary import UuidRepresentation
from bson.errors import BSONError

from workbench.documents.source import DocumentSource
from workbench.engines.mongo_reading import ReadOnlyDatabase
from workbench.errors import BadInput, FeatureUnavailable, NotAuthorized, SourceError

MOST_ENTRIES = 20_000  # the newest
SWITCH_ON = 'db.setProfilingLevel(1, {"slowms": 100, "sampleRate": 1.0})'
_SWITCH_OFF = "db.setProfilingLevel(0)"
_FEATURE = "the record of slow operations"
_SLOW_QUERY = "Slow query"
_GZIP = b"\x1f\x8b"
_JSON = json_util.JSONOptions(tz_aware=True, uuid_representation=UuidRepresentation.STANDARD)
_BULKY = ("execStats", "locks", "storage", "flowControl")  # of an entry, and not used
_LOGGED = (  # what the log calls otherwise than the profiler
    ("durationMillis", "millis"),
    ("reslen", "responseLength"),
    ("numYields", "numYield"),
)


@dataclass(frozen=True)
class Recorded:
    """Entries of the profiler or of a log, in their order, and what they leave out.

    *origin* is ``profiler`` or the log's name. *level*, *slow_ms* and *sample_rate* are the profiler's;
    None in a log. *missing* is set where there is nothing to look at: what is missing and how to get it.
    """

    origin: str
    entries: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    level: int | None = None
    slow_ms: int | None = None
    sample_rate: float | None = None
    notes: tuple[str, ...] = ()
    missing: FeatureUnavailable | None = None

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """The times of the first and the last entry."""
        times = [each["ts"] for each in self.entries if isinstance(each.get("ts"), datetime)]
        return (min(times), max(times)) if times else None


def recorded_by_profiler(source: DocumentSource) -> Recorded:
    """What the profiler of *source* has: at most the newest 20,000 entries.

    Where it has none, `Recorded.missing` says what to switch on, who may, and how. Raises SourceError.
    """
    database = source.database
    if database is None:
        return _nothing(
            source.looked_at_on,
            "a dump holds no record of operations: give a log by --log, operations by --operations, "
            "or the database itself",
        )
    if database.topology == "mongos":
        return _nothing(
            source.looked_at_on,
            "a mongos has no profiler: connect to the primary of each shard with directConnection=true, "
            "or give a log by --log",
        )
    try:
        newest = {"sort": {"$natural": -1}, "limit": MOST_ENTRIES, "projection": dict.fromkeys(_BULKY, 0)}
        found = tuple(database.find("system.profile", {}, **newest))
    except NotAuthorized:
        return _nothing(
            source.looked_at_on,
            "the login may not read system.profile: "
            f'db.grantRolesToUser("<user>", [{{"role": "dbAdmin", "db": {json.dumps(database.name)}}}]), '
            "or give a log by --log or operations by --operations",
        )
    level, slow_ms, rate, unknown = _setting(database)
    if not found:
        return _nothing(source.looked_at_on, _empty(database, level, slow_ms))
    recorded = Recorded("profiler", found[::-1], level, slow_ms, rate)
    return Recorded(
        "profiler", recorded.entries, level, slow_ms, rate, (*unknown, *_caveats(recorded, database))
    )


def _nothing(engine: str, hint: str) -> Recorded:
    return Recorded("profiler", missing=FeatureUnavailable(_FEATURE, engine, hint=hint))


def _setting(database: ReadOnlyDatabase) -> tuple[int | None, int | None, float | None, tuple[str, ...]]:
    """Level, threshold in ms and sample rate; None where the login may not ask."""
    try:
        reply = database.command({"profile": -1})
    except SourceError as exc:
        return None, None, None, (f"the profiler's level is not known: {exc}",)
    return int(reply["was"]), int(reply["slowms"]), float(reply.get("sampleRate", 1.0)), ()


def _empty(database: ReadOnlyDatabase, level: int | None, slow_ms: int | None) -> str:
    """Why there is no entry, and the command that changes it."""
    who = "it needs the role dbAdmin, and is set on each member that serves reads"
    if level == 0:
        return (
            f"the profiler of {database.name} is off: {SWITCH_ON} records what takes 100 ms and more "
            f"({who}); {_SWITCH_OFF} ends it"
        )
    if level == 1:
        return (
            f"the profiler of {database.name} is on, and nothing took {slow_ms} ms: "
            f'db.setProfilingLevel(1, {{"slowms": {max((slow_ms or 0) // 5, 0)}}}) records more ({who})'
        )
    return f"system.profile of {database.name} is empty: {SWITCH_ON} ({who})"


def _caveats(recorded: Recorded, database: ReadOnlyDatabase) -> Iterator[str]:
    if recorded.level == 0:
        last = recorded.window[1] if recorded.window else None
        until = f" at {last:%Y-%m-%d %H:%M}" if last else ""
        yield f"the profiler is off; what it recorded ends{until}: {SWITCH_ON} records again"
    if recorded.level == 1 and recorded.slow_ms:
        yield (
            f"only what takes {recorded.slow_ms} ms and more is recorded: fast operations that are run "
            'often are not seen; db.setProfilingLevel(1, {"slowms": 0, "sampleRate": 0.01}) samples all'
        )
    if recorded.sample_rate is not None and recorded.sample_rate < 1:
        yield f"of what is slow a share of {recorded.sample_rate:g} is recorded: counts are of that share"
    if len(recorded.entries) >= MOST_ENTRIES:
        yield f"only the newest {MOST_ENTRIES:,} entries were read"
    if database.others:
        others = ", ".join(database.others)
        yield f"each member records for itself: {database.host} was asked, {others} not"


def recorded_by_log(path: str | Path, database: str) -> Recorded:
    """The slow queries on *database* in a log of mongod, plain or gzipped, of version 4.4 or later.

    Raises SourceError where the file cannot be read, BadInput where it is no such log.
    """
    entries: deque[Mapping[str, Any]] = deque(maxlen=MOST_ENTRIES)
    elsewhere = unread = lines = found = 0
    try:
        with _opened(Path(path)) as log:
            for number, line in enumerate(log, 1):
                if not line.strip():
                    continue
                lines += 1
                logged = _line(line)
                if logged is None:
                    unread += 1
                    if number == unread == 20:
                        break
                elif logged.get("msg") == _SLOW_QUERY:
                    entry = _entry(logged)
                    if entry is None:
                        unread += 1
                    elif str(entry.get("ns", "")).partition(".")[0] == database:
                        entries.append(entry)
                        found += 1
                    else:
                        elsewhere += 1
    except (OSError, EOFError) as exc:
        raise SourceError(f"{path}: cannot be read: {getattr(exc, 'strerror', None) or exc}") from exc
    if lines and unread == lines:
        raise BadInput(
            f"{path}:1: is no structured log of mongod (a JSON document a line, version 4.4 and later)"
        )
    name = Path(path).name
    notes = [f"{unread:,} lines of {name} could not be read and are left out"] if unread else []
    notes += (
        [f"{elsewhere:,} slow queries of {name} are on other databases than {database}"] if elsewhere else []
    )
    if found > MOST_ENTRIES:
        notes.append(f"of {found:,} slow queries of {name} the last {MOST_ENTRIES:,} are looked at")
    missing = None
    if not entries:
        hint = (
            f"it has no {_SLOW_QUERY!r} on {database}: "
            'db.setProfilingLevel(0, {"slowms": 100}) logs what takes 100 ms and more'
        )
        missing = FeatureUnavailable(_FEATURE, name, hint=hint)
    return Recorded(name, tuple(entries), notes=tuple(notes), missing=missing)


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    with path.open("rb") as file:
        zipped = file.read(2) == _GZIP
    return gzip.open(path, "rb") if zipped else path.open("rb")


def _line(line: bytes) -> Mapping[str, Any] | None:
    """A line of the log; its values are read only where it is of a slow query."""
    try:
        logged = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return logged if isinstance(logged, Mapping) and "msg" in logged else None


def _entry(logged: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A slow query of the log as the profiler would have it; None where its command was cut."""
    told = logged.get("attr")
    if not isinstance(told, Mapping) or "command" in (told.get("truncated") or {}):
        return None
    try:
        entry = dict(json_util.loads(json.dumps({**told, "ts": logged.get("t")}), json_options=_JSON))
    except (BSONError, ValueError, TypeError, KeyError, ArithmeticError):
        return None
    for logged_name, name in _LOGGED:
        if logged_name in entry:
            entry[name] = entry.pop(logged_name)
    command = entry.get("command") or {}
    if "getMore" in command:
        entry["op"] = "getmore"
    elif "find" in command:
        entry["op"] = "query"
    else:
        entry["op"] = "insert" if "insert" in command else entry.get("type")
    return entry


__all__ = ["MOST_ENTRIES", "SWITCH_ON", "Recorded", "recorded_by_log", "recorded_by_profiler"]
