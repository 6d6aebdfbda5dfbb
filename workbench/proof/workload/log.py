"""The workload that a log of PostgreSQL has recorded: durations of statements, and auto_explain's plans."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pglast import ast
from pglast.parser import ParseError, fingerprint
from pglast.stream import RawStream

from workbench.engines.postgres import Connection
from workbench.errors import BadInput, FeatureUnavailable, printable
from workbench.proof.workload.log_entries import Counts, Entry, entries, log_files
from workbench.proof.workload.model import Observed, Unread, Workload
from workbench.proof.workload.reading import Candidate, checked
from workbench.proof.workload.syntax import NoQuery, kind_of, reads_system_alone
from workbench.proof.workload.written import (
    Mistake,
    NotParsed,
    Parsed,
    parsed_statement,
    without_prepare,
    written_statements,
)

_DURATION = re.compile(
    r"duration: (?P<ms>\d+(?:\.\d+)?) ms  (?:statement|execute (?!fetch from)[^:]*): (?P<sql>.*)", re.DOTALL
)
_PLAN = re.compile(r"duration: (?P<ms>\d+(?:\.\d+)?) ms  plan:\s*(?P<plan>.*)", re.DOTALL)
_TEXT_PLAN = re.compile(
    r"Query Text: (?P<sql>.*?)\n(?:Query Parameters: (?P<parameters>.*?)\n)?"
    r"[^\n]*  \(cost=\d+\.\d+\.\.\d+\.\d+ rows=\d+ width=\d+\)",
    re.DOTALL,
)
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_PREPARE = "prepare: "
_LISTED = 100
_HINT = (
    "set log_min_duration_statement = 0 (or 100 for those above 100 ms), log_destination = 'csvlog' with "
    "logging_collector = on, and lc_messages = 'C', or load auto_explain with "
    "auto_explain.log_min_duration = 100 and auto_explain.log_format = 'json', "
    "and let the application run for a day"
)


def workload_of_log(path: str | Path, conn: Connection, *, database: str | None = None) -> Workload:
    """The queries that the log *path*, or the logs of that folder, says took their time; gzipped or not.

    csvlog, jsonlog and stderr's format are read, each with ``duration: … statement`` and ``execute`` and
    with auto_explain's plans as JSON or text. Statements that differ in constants alone are one, weighted
    by its calls, with the constants, the parameters and the plan of its slowest call. Only those of
    *database* count, which is by default the one of *conn*. *conn* is asked whether it understands them.
    Raises BadInput where *path* cannot be read or has other databases alone, and FeatureUnavailable, with
    the settings to switch on, where it has no durations.
    """
    wanted = database or conn.info.dbname
    counts = Counts()
    found = _Groups()
    for file in log_files(Path(path)):
        for entry in entries(file, counts):
            for execution in _executions(entry, file, found):
                found.add(execution)
    taken, notes = _databases(found, wanted, str(path))
    return _workload(conn, found, taken, [*notes, *_unreadable(counts)], str(path))


@dataclass(frozen=True)
class _Execution:
    """One call as the log has it; *values* are its parameters as literals, None where it does not say."""

    database: str | None
    sql: str
    elapsed_ms: float
    where: str
    values: tuple[str, ...] | None = None
    plan: Mapping[str, object] | None = None
    planned: bool = False  # the entry is auto_explain's

    @property
    def is_whole(self) -> bool:
        """Whether it could be run again: it has no parameters, or their values."""
        return self.values is not None or "$1" not in self.sql


@dataclass
class _Group:
    """The calls of one statement; those with a plan are counted apart, for both may be logged of one call."""

    slowest: _Execution
    calls: int = 0
    total_ms: float = 0.0
    max_ms: float = 0.0
    plans: int = 0
    plans_total_ms: float = 0.0
    plans_max_ms: float = 0.0
    plan: Mapping[str, object] | None = None

    def add(self, execution: _Execution) -> None:
        if execution.planned:
            self.plans += 1
            self.plans_total_ms += execution.elapsed_ms
            if execution.elapsed_ms >= self.plans_max_ms:
                self.plans_max_ms, self.plan = execution.elapsed_ms, execution.plan or self.plan
        else:
            self.calls += 1
            self.total_ms += execution.elapsed_ms
            self.max_ms = max(self.max_ms, execution.elapsed_ms)
        if (execution.is_whole, execution.elapsed_ms) > (self.slowest.is_whole, self.slowest.elapsed_ms):
            self.slowest = execution

    def observed(self) -> Observed:
        timed = self.calls >= self.plans
        calls = self.calls if timed else self.plans
        total_ms = self.total_ms if timed else self.plans_total_ms
        max_ms = self.max_ms if timed else self.plans_max_ms
        return Observed(calls, total_ms, total_ms / calls, max_ms, plan=self.plan)


@dataclass
class _Groups:
    """All calls by database and by what statement they are; what does not parse is kept apart."""

    groups: dict[tuple[str | None, str], _Group] = field(default_factory=dict)
    broken: dict[tuple[str | None, str], Unread] = field(default_factory=dict)
    unread_plans: int = 0
    several: int = 0

    def add(self, execution: _Execution) -> None:
        try:
            key = execution.database, fingerprint(execution.sql)
        except ParseError as exc:
            shown = " ".join(execution.sql[:200].split())[:60]
            reason = str(exc.args[0]).split("\n")[0]
            self.broken.setdefault(
                (execution.database, shown), Unread(f"query {shown}", execution.where, reason)
            )
            return
        self.groups.setdefault(key, _Group(execution)).add(execution)


def _executions(entry: Entry, file: Path, found: _Groups) -> Iterator[_Execution]:
    where = f"{file}:{entry.line}"
    if duration := _DURATION.match(entry.message):
        sql, values = _called(duration["sql"], entry.detail)
        statements = _split(sql)
        found.several += len(statements) > 1
        for each in statements:
            elapsed_ms = float(duration["ms"]) / len(statements)
            yield _Execution(entry.database, each, elapsed_ms, where, values)
    elif planned := _PLAN.match(entry.message):
        execution = _planned(entry, float(planned["ms"]), planned["plan"], where)
        found.unread_plans += execution is None
        if execution is not None and len(_split(execution.sql)) == 1:
            yield execution


def _planned(entry: Entry, elapsed_ms: float, plan: str, where: str) -> _Execution | None:
    """An entry of auto_explain; None where its format is neither JSON nor text."""
    kept: dict[str, Any] | None = None
    if plan.startswith("{"):
        try:
            kept = json.loads(plan, strict=False)
        except ValueError:
            return None
        if not isinstance(kept, dict) or "Query Text" not in kept:
            return None
        sql, parameters = str(kept.pop("Query Text")), str(kept.pop("Query Parameters", ""))
    elif text := _TEXT_PLAN.match(plan):
        sql, parameters = text["sql"], text["parameters"] or ""
    else:
        return None
    return _Execution(
        entry.database, without_prepare(sql), elapsed_ms, where, _parameters(parameters), kept, planned=True
    )


def _called(sql: str, detail: str) -> tuple[str, tuple[str, ...] | None]:
    """The statement that ran and its parameters; that of a PREPARE where EXECUTE ran."""
    if detail.startswith(_PREPARE):
        return without_prepare(detail.removeprefix(_PREPARE)), _executed_values(sql)
    return sql, _parameters(detail)


def _parameters(detail: str) -> tuple[str, ...] | None:
    """``Parameters: $1 = '42', $2 = NULL`` as texts in quotation marks."""
    return tuple(value for _, value in _PARAMETER.findall(detail)) or None


def _executed_values(sql: str) -> tuple[str, ...] | None:
    """The constants of ``execute name(…)`` as texts in quotation marks; None where they are no constants."""
    try:
        tree = parsed_statement(sql).tree
    except NotParsed:
        return None
    if not isinstance(tree, ast.ExecuteStmt):
        return None
    values = []
    for each in tree.params or ():
        while isinstance(each, ast.TypeCast):
            each = each.arg
        if not isinstance(each, ast.A_Const):
            return None
        text = RawStream()(each)
        values.append(text if text.startswith("'") or text == "NULL" else f"'{text}'")
    return tuple(values) or None


def _split(sql: str) -> list[str]:
    """The statements of a string that was sent as one; itself where it does not parse."""
    if ";" not in sql.rstrip().rstrip(";"):
        return [sql]
    found = list(written_statements(sql))
    if any(isinstance(each, Mistake) for each in found):
        return [sql]
    return [each.parsed.sql for each in found if not isinstance(each, Mistake)] or [sql]


def _databases(found: _Groups, wanted: str, path: str) -> tuple[set[str | None], list[str]]:
    """The databases whose statements are taken: *wanted*, or the only one, and what names none (None)."""
    known = {name for name, _ in [*found.groups, *found.broken]}
    names = sorted(name for name in known if name)
    notes = []
    if names and wanted not in names:
        if len(names) > 1:
            raise BadInput(
                f"{printable(path)} has no statement of the database {printable(wanted)}, but of "
                f"{', '.join(map(printable, names[:10]))}: say which is meant"
            )
        notes.append(f"the log has no statement of {wanted}: those of {names[0]} are taken")
        wanted = names[0]
    if None in known:
        notes.append(
            "the log does not name databases: all statements are taken (log_line_prefix = '%m [%p] %q%u@%d ' "
            "names them)"
        )
    return {wanted, None}, notes


def _unreadable(counts: Counts) -> list[str]:
    notes = []
    if counts.unreadable:
        notes.append(f"{counts.unreadable:,} lines of the log could not be read")
    notes += [f"{printable(each)} ends too early: what there is was read" for each in counts.cut_short]
    return notes


def _workload(
    conn: Connection, found: _Groups, taken: set[str | None], notes: list[str], path: str
) -> Workload:
    groups = [each for (name, _), each in found.groups.items() if name in taken]
    unread = [each for (name, _), each in found.broken.items() if name in taken]
    if not groups and not unread:
        raise FeatureUnavailable("a duration of a statement", printable(path), hint=_HINT)
    candidates: list[Candidate] = []
    if len(unread) > _LISTED:
        notes.append(f"{len(unread):,} statements of the log do not parse: the first {_LISTED} are listed")
        unread = unread[:_LISTED]
    left_out = {"utility statements": 0.0, "statements on no table but the system's": 0.0}
    all_ms = sum(each.observed().total_ms for each in groups)
    for each in groups:
        try:
            parsed = parsed_statement(each.slowest.sql)
            kind_of(parsed.tree)
        except NotParsed as exc:
            unread.append(Unread(f"query {fingerprint(each.slowest.sql)}", each.slowest.where, exc.reason))
        except NoQuery:
            left_out["utility statements"] += each.observed().total_ms
        else:
            if reads_system_alone(parsed.tree):
                left_out["statements on no table but the system's"] += each.observed().total_ms
            else:
                candidates.append(_candidate(each, parsed))
    notes += [
        f"{what} took {100 * ms / all_ms:.1f} % of the time and are left out"
        for what, ms in left_out.items()
        if ms
    ]
    notes += _group_notes(found, groups)
    candidates.sort(key=lambda each: each.observed.total_ms if each.observed else 0.0, reverse=True)
    return checked(conn, candidates, unread, origin=path, notes=notes, any_schema=True)


def _candidate(group: _Group, parsed: Parsed) -> Candidate:
    observed = group.observed()
    values = group.slowest.values
    fitting = values is not None and len(values) == len(parsed.parameters) > 0
    return Candidate(
        f"query {fingerprint(group.slowest.sql)}",
        parsed,
        group.slowest.where,
        weight=float(observed.calls),
        values=[values] if fitting and values else [],
        observed=observed,
        untyped=True,
    )


def _group_notes(found: _Groups, groups: Sequence[_Group]) -> list[str]:
    notes = []
    if found.several:
        notes.append(
            f"{found.several:,} strings of several statements: their time is divided equally among them"
        )
    if found.unread_plans:
        notes.append(
            f"{found.unread_plans:,} plans are neither JSON nor text: set auto_explain.log_format = 'json'"
        )
    fastest = min((each.slowest.elapsed_ms for each in groups), default=0.0)
    if fastest >= 1:
        notes.append(f"no statement is below {fastest:,.0f} ms: what is faster was not logged, however often")
    return notes
