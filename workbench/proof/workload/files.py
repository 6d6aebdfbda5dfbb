"""The workload that files of SQL declare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.engines.postgres import Connection
from workbench.errors import BadInput, printable
from workbench.proof.workload.declared import NotDeclared, values, weight
from workbench.proof.workload.model import Unread, Workload
from workbench.proof.workload.reading import Candidate, checked
from workbench.proof.workload.syntax import search_path_of
from workbench.proof.workload.written import Mistake, Written, written_statements


def workload_of_files(path: str | Path, conn: Connection) -> Workload:
    """The statements of the file *path*, or of the ``.sql`` files of that folder in the order of their names.

    Comments before a statement say more of it: ``-- name:``, ``-- weight:`` or ``-- per_hour:`` (1
    without), and ``-- values: id = 42, status = 'paid'`` for its placeholders ``:id``, ``%(id)s``, ``$1``,
    ``?``; each further ``-- values:`` is one more set, and they share the weight. Without a name a
    statement has its file's, and ``file:2`` where there are more. ``set search_path`` counts for what
    follows in its file. *conn* is the database that the statements are for: it is asked whether it
    understands them, nothing is planned or run. What it does not, is unread, by file and line. Raises
    BadInput where *path* cannot be read or holds no statement.
    """
    source = Path(path)
    candidates: list[Candidate] = []
    unread: list[Unread] = []
    for file in _files(source):
        try:
            text = _text(file)
        except BadInput as exc:
            if file == source:
                raise
            unread.append(Unread(file.stem, str(file), str(exc).removeprefix(f"{printable(str(file))} ")))
            continue
        for each in _of_file(file, text):
            (unread if isinstance(each, Unread) else candidates).append(each)  # type: ignore[arg-type]
    if not candidates and not unread:
        raise BadInput(f"{printable(str(source))} holds no statement: write SQL statements, each with a ;")
    return checked(conn, candidates, unread, origin=str(source))


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    found = sorted(each for each in source.iterdir() if each.suffix.lower() == ".sql" and each.is_file())
    if not found:
        raise BadInput(f"{printable(str(source))} has no .sql file: name a folder with some, or a file")
    return found


def _text(file: Path) -> str:
    shown = printable(str(file))
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise BadInput(f"{shown} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise BadInput(f"{shown} is not UTF-8: save it as UTF-8") from exc


def _of_file(file: Path, text: str) -> Iterator[Candidate | Unread]:
    search_path: tuple[str, ...] = ()
    count = 0
    for each in written_statements(text):
        if isinstance(each, Written) and (changed := search_path_of(each.parsed.tree)) is not None:
            search_path = changed
            continue
        count += 1
        name = file.stem if count == 1 else f"{file.stem}:{count}"
        if isinstance(each, Mistake):
            yield Unread(name, f"{file}:{each.line}", each.reason)
            continue
        name = each.name or name
        try:
            yield Candidate(
                name,
                each.parsed,
                str(file),
                each.line,
                weight(each.comments),
                tuple(values(each.comments, each.parsed.parameters)),
                search_path,
            )
        except NotDeclared as exc:
            yield Unread(name, f"{file}:{each.line}", str(exc))
