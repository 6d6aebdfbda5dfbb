"""The workload of a source: what the caller names, what the server has counted, or what the keys suggest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.catalog.reflect import reflect
from workbench.errors import BadInput, FeatureUnavailable
from workbench.proof.workload import (
    Workload,
    assumed_workload,
    compress,
    is_log,
    sample_values,
    workload_of_example,
    workload_of_files,
    workload_of_log,
    workload_of_statistics,
)
from workbench.source import OpenSource

STATISTICS = "statistics"
ASSUMED = "assumed"
_MOST = 1_000


def workload_of(opened: OpenSource, named: str = "", *, most: int = _MOST) -> Workload:
    """The workload that *named* stands for, at most *most* statements, with values for their parameters.

    *named* is a .sql file or a folder of them, a log (.csv, .json, .log, gzipped or not), ``statistics``
    for pg_stat_statements, ``assumed`` for look-ups by the keys, or nothing: then it is the example's own
    workload, a named database's statistics where there are any, and else what the keys suggest. Raises
    BadInput where there is no such file, FeatureUnavailable where a server has counted nothing.
    """
    found = _named(opened, named.strip()) if named.strip() else _by_default(opened)
    found = compress(found, most=most)
    return replace(found, statements=sample_values(opened.connection, found.statements))


def _named(opened: OpenSource, named: str) -> Workload:
    if named == STATISTICS:
        if not opened.read_only:
            raise BadInput(
                f"--workload {STATISTICS}: {opened.source.spec} was just loaded, and no server has counted "
                f"its use: name a database by its URL, a file of statements, or {ASSUMED!r}"
            )
        return workload_of_statistics(opened.connection)
    if named == ASSUMED:
        return assumed_workload(reflect(opened.connection))
    path = Path(named).expanduser()
    if not path.exists():
        raise BadInput(
            f"workload {named}: there is no such file: give a .sql file, a folder of them, a log, "
            f"{STATISTICS!r} or {ASSUMED!r}"
        )
    return (workload_of_log if is_log(path) else workload_of_files)(path, opened.connection)


def _by_default(opened: OpenSource) -> Workload:
    if opened.source.kind == "example":
        return workload_of_example(opened.connection)
    assumed = assumed_workload(reflect(opened.connection))
    if not opened.read_only:
        return assumed
    try:
        return workload_of_statistics(opened.connection)
    except FeatureUnavailable as exc:
        return replace(assumed, notes=(f"the server's own statistics are not used: {exc}", *assumed.notes))
