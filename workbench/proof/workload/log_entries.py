"""The entries of PostgreSQL's logs in their three formats: csvlog, jsonlog, and stderr's lines."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, cast

from workbench.errors import BadInput, printable

_COLUMNS = 23  # of a csvlog up to version 12; 24 in 13, 26 from 14 on
_LONGEST = 1 << 30
_PROCESSES = 1000  # whose last message may still get a detail
_CSV_START = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[^,]*,("|,|[^,]*,)')
_LINE = re.compile(
    r"(?P<before>.*?(?:^|[\s:\]|>,]))"
    r"(?P<level>DEBUG\d?|INFO|NOTICE|WARNING|ERROR|LOG|FATAL|PANIC|DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION):"
    r"  ?(?P<text>.*)"
)
_DATABASE = re.compile(r"(?:\b(?:db|database|d)=|@)(?P<name>[^\s,:;\[\]|]+)")
_PROCESS = re.compile(r"\[(\d+)(?:-\d+)?\]|\b(?:pid|p)=(\d+)")
_FORMATS = (".csv", ".json", ".log")


@dataclass(frozen=True)
class Entry:
    """A message of a log, the *line* that it begins on, and its database where the log names it."""

    line: int
    message: str
    detail: str = ""
    database: str | None = None


@dataclass
class Counts:
    """What of a log could not be read."""

    unreadable: int = 0
    cut_short: list[str] = field(default_factory=list)


def is_log(path: Path) -> bool:
    """Whether *path* is a log by its name, rotated or gzipped, or a folder with logs and without SQL."""
    if path.is_dir():
        names = [each for each in path.iterdir() if each.is_file()]
        return not any(each.suffix.lower() == ".sql" for each in names) and any(map(is_log, names))
    return path.suffix.lower() != ".sql" and _rank(path) < len(_FORMATS)


def log_files(path: Path) -> list[Path]:
    """The logs that *path* names: a file, or those of a folder, each log in one of its formats.

    Raises BadInput where there is none.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise BadInput(f"{printable(str(path))} cannot be read: No such file or directory")
    found: dict[str, Path] = {}
    names = [each for each in path.iterdir() if each.is_file()]
    for each in sorted(names, key=lambda name: (_rank(name), name.name)):
        if _rank(each) < len(_FORMATS):
            found.setdefault(_stem(each), each)
    if not found:
        raise BadInput(f"{printable(str(path))} has no .csv, .json or .log file: name a log of PostgreSQL")
    return sorted(found.values())


def entries(path: Path, counts: Counts) -> Iterator[Entry]:
    """The entries of the log *path*, gzipped or not, in whichever format it is; *counts* is added to."""
    try:
        with _opened(path) as file:
            head = file.readline()
            lines = itertools.chain([head], file)
            if head.startswith("{"):
                yield from _of_json(lines, counts)
            elif _CSV_START.match(head) and not _LINE.match(head):
                yield from _of_csv(lines, counts)
            else:
                yield from _of_lines(lines, counts)
    except (EOFError, zlib.error):
        counts.cut_short.append(str(path))
    except OSError as exc:
        raise BadInput(f"{printable(str(path))} cannot be read: {exc.strerror or exc}") from exc


def _opened(path: Path) -> IO[str]:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    how: dict[str, Any] = {"mode": "rt", "encoding": "utf-8-sig", "errors": "replace", "newline": ""}
    return cast("IO[str]", gzip.open(path, **how) if zipped else path.open(**how | {"mode": "r"}))


def _rank(path: Path) -> int:
    """The place of its format among the preferred; a rotated log bears its date behind the suffix."""
    suffixes = [each.lower() for each in path.suffixes if each.lower() in _FORMATS]
    return _FORMATS.index(suffixes[-1]) if suffixes else len(_FORMATS)


def _stem(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return name.removesuffix(Path(name).suffix) if Path(name).suffix in _FORMATS else name


def _of_csv(lines: Iterator[str], counts: Counts) -> Iterator[Entry]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(lines, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            counts.unreadable += 1
            continue
        if len(row) < _COLUMNS:
            counts.unreadable += 1
            continue
        yield Entry(line, row[13], row[14], row[2] or None)


def _of_json(lines: Iterator[str], counts: Counts) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
            yield Entry(number, str(found["message"]), str(found.get("detail") or ""), found.get("dbname"))
        except (ValueError, KeyError, TypeError, AttributeError):
            counts.unreadable += bool(line.strip())


@dataclass(frozen=True)
class _Open:
    """An entry whose lines may go on; *process* tells whose detail belongs to it."""

    entry: Entry
    level: str
    process: str


def _of_lines(lines: Iterator[str], counts: Counts) -> Iterator[Entry]:
    """A line that begins with a tab goes on; a DETAIL belongs to its process's last message."""
    waiting: dict[str, _Open] = {}
    last: tuple[str, bool] | None = None  # the process of the last line, and whether it was a detail
    for number, raw in enumerate(lines, start=1):
        line = raw.rstrip("\r\n")
        if line.startswith("\t") or not line:
            if last and last[0] in waiting:
                waiting[last[0]] = _longer(waiting[last[0]], "\n" + line[1:], detail=last[1])
            elif line and last is None:
                counts.unreadable += 1
            continue
        found = _LINE.match(line)
        if not found:
            counts.unreadable += 1
            last = None if last is None else ("", False)
            continue
        process = _process(found["before"])
        if found["level"] in ("DETAIL", "HINT", "CONTEXT", "STATEMENT", "QUERY", "LOCATION"):
            last = (process if found["level"] == "DETAIL" else "", True)
            if found["level"] == "DETAIL" and process in waiting:
                waiting[process] = _longer(waiting[process], found["text"], detail=True)
            continue
        if process in waiting:
            yield waiting.pop(process).entry
        database = _DATABASE.search(found["before"])
        entry = Entry(number, found["text"], "", database["name"] if database else None)
        if len(waiting) >= _PROCESSES:
            yield waiting.pop(next(iter(waiting))).entry
        waiting[process] = _Open(entry, found["level"], process)
        last = (process, False)
    yield from (each.entry for each in waiting.values())


def _process(before: str) -> str:
    found = _PROCESS.search(before)
    return (found[1] or found[2]) if found else "any"


def _longer(open_entry: _Open, text: str, *, detail: bool) -> _Open:
    entry = open_entry.entry
    longer = (
        replace(entry, detail=entry.detail + text) if detail else replace(entry, message=entry.message + text)
    )
    return replace(open_entry, entry=longer)
