"""Statements out of text, checked against the database that they are for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.errorcodes import AMBIGUOUS_FUNCTION, INDETERMINATE_DATATYPE, UNDEFINED_FUNCTION

from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.proof.workload.model import Observed, Statement, Unread, Workload
from workbench.proof.workload.resolve import Key, Refusal, Resolved, resolve
from workbench.proof.workload.schemas import search_paths_found
from workbench.proof.workload.syntax import NoQuery, kind_of, prepared_form, runnable, with_numbers
from workbench.proof.workload.written import NotParsed, Parsed, parameter_tokens, parsed_statement

_ROUNDS = 8  # a server names one parameter of an unknown type at a time


@dataclass(frozen=True)
class Candidate:
    """A statement before it is checked; *line* is None where it does not come from a file.

    *values* has one tuple of SQL literals for each time it is taken up; none where none are known. Where
    they are *untyped* they are texts in quotation marks, which get the types of the parameters.
    """

    name: str
    parsed: Parsed
    where: str
    line: int | None = None
    weight: float = 1.0
    values: Sequence[tuple[str, ...]] = ()
    search_path: tuple[str, ...] = ()
    observed: Observed | None = None
    untyped: bool = False

    @property
    def key(self) -> Key:
        return self.parsed.sql, self.search_path

    def place(self, at: int | None = None) -> str:
        """Where it stands, or the character *at* of it."""
        if self.line is None:
            return self.where
        return f"{self.where}:{self.line + self.parsed.sql.count(chr(10), 0, at or 0)}"


def candidate_of_text(name: str, text: str, where: str, weight: float = 1.0) -> Candidate:
    """The candidate that *text* is. Raises NotParsed."""
    return Candidate(name, parsed_statement(text), where, weight=weight)


def checked(
    conn: Connection,
    candidates: Iterable[Candidate],
    unread: Iterable[Unread] = (),
    *,
    origin: str,
    notes: Sequence[str] = (),
    any_schema: bool = False,
) -> Workload:
    """The workload of the *candidates* that are queries the server understands; the rest is unread.

    With *any_schema* tables that the connection does not find are looked for in others, which is noted.
    """
    refused = list(unread)
    queries: list[tuple[Candidate, Statement]] = []
    for each in candidates:
        try:
            queries.append(_query(each, conn.server_version))
        except (NoQuery, NotParsed) as exc:
            refused.append(Unread(each.name, each.place(), str(exc)))
    queries, outcomes = _resolved(conn, queries)
    if any_schema:
        paths = search_paths_found(conn, [each.parsed.sql for each, _ in queries], outcomes)
        queries = [_moved(each, statement, paths) for each, statement in queries]
        queries, outcomes = _resolved(conn, queries) if paths else (queries, outcomes)
        notes = [*notes, *_moved_notes(paths)]
    statements: list[Statement] = []
    for each, statement in queries:
        outcome = outcomes[each.key]
        if isinstance(outcome, Refusal):
            refused.append(Unread(each.name, each.place(outcome.at), outcome.reason))
        else:
            statements += _with_values(each, statement, outcome)
    fitting, unfit = _fitting(conn, statements)
    return Workload(
        _named_apart(fitting), tuple(sorted((*refused, *unfit), key=_position)), origin, tuple(notes)
    )


def _position(unread: Unread) -> tuple[str, int]:
    file, _, line = unread.where.rpartition(":")
    return (file, int(line)) if line.isdecimal() else (unread.where, 0)


def _query(given: Candidate, server_version: int) -> tuple[Candidate, Statement]:
    kind = kind_of(given.parsed.tree)
    each = replace(given, parsed=prepared_form(given.parsed, server_version))
    return each, Statement(
        each.name,
        each.parsed.sql,
        kind,
        each.weight,
        None,
        each.place(),
        each.search_path,
        each.observed,
    )


def _resolved(
    conn: Connection, queries: list[tuple[Candidate, Statement]]
) -> tuple[list[tuple[Candidate, Statement]], dict[Key, Resolved | Refusal]]:
    """*queries* and what the server says of each; parameters whose types are lost get some."""
    outcomes = resolve(conn, [each.key for each, _ in queries])
    told: dict[int, str]
    seen = {each.parsed.sql for each, _ in queries}
    for _ in range(_ROUNDS):
        told = {}
        for number, (each, _) in enumerate(queries):
            outcome = outcomes[each.key]
            if not isinstance(outcome, Refusal) or not each.parsed.parameters:
                continue
            if outcome.code == INDETERMINATE_DATATYPE:
                told[number] = _as_text(each.parsed.sql, outcome)
            elif outcome.code in (AMBIGUOUS_FUNCTION, UNDEFINED_FUNCTION):
                told[number] = with_numbers(parsed_statement(each.parsed.sql)).sql
        told = {number: text for number, text in told.items() if text not in seen}
        seen.update(told.values())
        if not told:
            break
        queries = [
            _retyped(each, statement, told.get(number)) for number, (each, statement) in enumerate(queries)
        ]
        outcomes |= resolve(conn, [queries[number][0].key for number in told])
    return queries, outcomes


def _moved(
    each: Candidate, statement: Statement, paths: Mapping[str, tuple[str, ...]]
) -> tuple[Candidate, Statement]:
    path = paths.get(each.parsed.sql)
    if path is None or each.search_path:
        return each, statement
    return replace(each, search_path=path), replace(statement, search_path=path)


def _moved_notes(paths: Mapping[str, tuple[str, ...]]) -> list[str]:
    counted = Counter(paths.values())
    return [
        f"{count:,} statements name tables without a schema: they are taken for those of {qualified(path[0])}"
        for path, count in sorted(counted.items())
    ]


def _as_text(sql: str, refusal: Refusal) -> str:
    """*sql* with the parameter that *refusal* is about cast to text, by its place or its name."""
    named = re.search(r"\$(\d+)", refusal.reason)
    for number, begin, end in reversed(parameter_tokens(sql)):
        if begin == refusal.at or (refusal.at is None and named and number == int(named[1])):
            sql = f"{sql[:begin]}cast({sql[begin:end]} as text){sql[end:]}"
    return sql


def _retyped(each: Candidate, statement: Statement, sql: str | None) -> tuple[Candidate, Statement]:
    if sql is None or sql == statement.sql:
        return each, statement
    return replace(each, parsed=replace(each.parsed, sql=sql)), replace(statement, sql=sql)


def _with_values(each: Candidate, statement: Statement, resolved: Resolved) -> list[Statement]:
    """The statement once for each set of its values, which share its weight."""
    if not resolved.parameter_types:
        return [replace(statement, values=())]
    if not each.values:
        return [statement]
    weight = statement.weight / len(each.values)
    types = resolved.parameter_types
    return [
        replace(
            statement,
            name=statement.name if number == 1 else f"{statement.name} ({number})",
            weight=weight,
            values=tuple(map("{}::{}".format, values, types)) if each.untyped else values,
        )
        for number, values in enumerate(each.values, start=1)
    ]


def _fitting(conn: Connection, statements: Sequence[Statement]) -> tuple[list[Statement], list[Unread]]:
    """Those whose values, put in the place of their parameters, are of types that fit; the others unread."""
    keys = [
        (runnable(each).as_string(conn), each.search_path) if each.values else None for each in statements
    ]
    outcomes = resolve(conn, [key for key in keys if key])
    fitting: list[Statement] = []
    unread: list[Unread] = []
    for each, key in zip(statements, keys, strict=True):
        outcome = outcomes[key] if key else None
        if isinstance(outcome, Refusal):
            shown = ", ".join(each.values or ())
            unread.append(Unread(each.name, each.where, f"with the values {shown}: {outcome.reason}"))
        else:
            fitting.append(each)
    return fitting, unread


def _named_apart(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """*statements* with names of their own."""
    taken: set[str] = set()
    named = []
    for each in statements:
        name, number = each.name, 2
        while name in taken:
            name, number = f"{each.name} ({number})", number + 1
        taken.add(name)
        named.append(replace(each, name=name))
    return tuple(named)
