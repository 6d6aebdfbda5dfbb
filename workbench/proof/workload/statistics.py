"""The workload that a server has counted: pg_stat_statements of PostgreSQL 13 to 18."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql as composed

from workbench import sql
from workbench.engines.postgres import Connection, describe_version
from workbench.errors import FeatureUnavailable
from workbench.proof.plans import rolled_back
from workbench.proof.workload.model import Observed, Unread, Workload
from workbench.proof.workload.reading import Candidate, checked
from workbench.proof.workload.syntax import NoQuery, kind_of, reads_system_alone, with_lists
from workbench.proof.workload.written import NotParsed, first_word, parsed_statement, without_prepare

VIEW = "pg_stat_statements"
_HIDDEN = "<insufficient privilege>"
_NESTED = ", in a function"
_LONGEST = 1_000_000
_FETCHED = 10  # times as many as are wanted, for some are no queries
_QUERIES = frozenset(("select", "with", "insert", "update", "delete", "merge", "values", "table", "("))
_NEVER_HERE = "a list, or a string, of a million characters is no statement to tune"
# what a column of Observed is called, in the newest version of the extension first
_NAMES = {
    "total_ms": ("total_exec_time", "total_time"),
    "max_ms": ("max_exec_time", "max_time"),
    "wal_bytes": ("wal_bytes",),
    "top_level": ("toplevel",),
}
_WITHOUT = {"wal_bytes": "null::numeric", "top_level": "true"}


def workload_of_statistics(conn: Connection, *, most: int = 1000) -> Workload:
    """The queries of this database that pg_stat_statements has counted, those of the most time first.

    At most the *most* statements of the greatest total and as many of the greatest mean time are taken;
    the notes say which share of the time that is, since when it is counted, and what is hidden. A
    statement is weighted by its calls; its constants were replaced by parameters and have no values:
    see `sample_values`. Statements inside functions are there where the server tracks them. Utility
    statements and those on the system's catalog alone are left out. Raises FeatureUnavailable, with
    what to switch on, where there is nothing to read.
    """
    (state,) = sql.fetch(conn, "proof/workload/statistics_state.sql")
    _require_extension(conn, state)
    try:
        rows = _rows(conn, state, most)
        since = _since(conn, state)
    except psycopg2.errors.InsufficientPrivilege as exc:
        hint = f"grant pg_read_all_stats, and select on {VIEW}, to {state['role_name']}"
        raise FeatureUnavailable(VIEW, describe_version(conn), hint=hint) from exc
    return _workload(conn, state, rows, since, most)


def _require_extension(conn: Connection, state: Mapping[str, Any]) -> None:
    create = f"in the database {state['database_name']}: create extension {VIEW}"
    preload = (
        f"add {VIEW} to shared_preload_libraries in postgresql.conf (or the provider's parameter group), "
        "restart the server"
    )
    if not state["loaded"]:
        package = "" if state["available"] else "install PostgreSQL's contrib package, "
        steps = package + preload + ("" if state["schema_name"] else f", then {create}")
    elif state["schema_name"] is None:
        steps = f"it is loaded; run {create}"
    elif state["track"] == "none":
        steps = f"it counts nothing: alter system set {VIEW}.track = 'top'; select pg_reload_conf()"
    elif state["query_identifiers"] == "off":
        steps = "it counts nothing: alter system set compute_query_id = 'auto'; select pg_reload_conf()"
    else:
        return
    raise FeatureUnavailable(VIEW, describe_version(conn), hint=steps)


def _rows(conn: Connection, state: Mapping[str, Any], most: int) -> list[dict[str, Any]]:
    columns = {
        name: next((each for each in names if each in state["column_names"]), None)
        for name, names in _NAMES.items()
    }
    statement = composed.SQL(sql.read("proof/workload/statistics.sql")).format(
        view=composed.Identifier(state["schema_name"], VIEW),
        **{
            name: composed.Identifier("s", column) if column else composed.SQL(_WITHOUT[name])
            for name, column in columns.items()
        },
    )
    with rolled_back(conn):
        found = conn.execute(statement, {"most": _FETCHED * most, "longest": _LONGEST})
        names = [each.name for each in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _since(conn: Connection, state: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What the extension says of its counting, from version 1.9 on."""
    if not state["has_info"]:
        return None
    statement = composed.SQL(sql.read("proof/workload/statistics_since.sql")).format(
        view=composed.Identifier(state["schema_name"], "pg_stat_statements_info")
    )
    with rolled_back(conn):
        row = conn.execute(statement).fetchone()
    return dict(zip(("thrown_out", "since", "recent"), row, strict=True)) if row else None


def _nothing_yet(conn: Connection, state: Mapping[str, Any], hidden_ms: float) -> FeatureUnavailable:
    hint = (
        f"all of its statements are other users': grant pg_read_all_stats to {state['role_name']}"
        if hidden_ms
        else f"it has counted no query on a table of {state['database_name']} yet: "
        "let the application run for a day"
    )
    return FeatureUnavailable(VIEW, describe_version(conn), hint=hint)


def _workload(
    conn: Connection,
    state: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    since: Mapping[str, Any] | None,
    most: int,
) -> Workload:
    found = _Sorted()
    for row in rows:
        found.add(row)
    if not found.candidates and not found.unread:
        raise _nothing_yet(conn, state, found.hidden_ms)
    all_ms = float(rows[0]["all_ms"])
    greatest = _greatest(found.candidates, most)
    notes = [*found.notes(all_ms, state["role_name"]), *_since_notes(since)]
    if len(greatest) < len(found.candidates) or rows[0]["all_statements"] > len(rows):
        taken = sum(each.observed.total_ms for each in greatest if each.observed and _at_the_top(each))
        notes.insert(
            0,
            f"{len(greatest):,} of {rows[0]['all_statements']:,} statements are taken, those of the greatest "
            f"total and mean time: {_share(taken, all_ms)} of the time",
        )
    read = checked(conn, greatest, found.unread, origin=VIEW, any_schema=True)
    return Workload(read.statements, read.unread, VIEW, (*notes, *read.notes))


def _greatest(candidates: Sequence[Candidate], most: int) -> list[Candidate]:
    """Those of the greatest total time, and those of the greatest mean time, in the order of *candidates*."""
    by_mean = sorted(
        candidates, key=lambda each: each.observed.mean_ms if each.observed else 0.0, reverse=True
    )
    chosen = {each.name for each in [*candidates[:most], *by_mean[:most]]}
    return [each for each in candidates if each.name in chosen]


def _at_the_top(each: Candidate) -> bool:
    return not each.name.endswith(_NESTED)


class _Sorted:
    """The rows sorted by what they are: queries, and what is left out with the time that it took in ms."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.unread: list[Unread] = []
        self.hidden_ms = self.utility_ms = self.system_ms = self.nested_ms = 0.0

    def add(self, row: Mapping[str, Any]) -> None:
        if row["query"] == _HIDDEN:
            self.hidden_ms += row["total_ms"]
            return
        name = f"query {row['queryid']}"
        if row["query"] is None:
            reason = f"it is {row['characters']:,} characters long: {_NEVER_HERE}"
            self.unread.append(Unread(name, VIEW, reason))
            return
        try:
            parsed = with_lists(parsed_statement(without_prepare(row["query"])))
            kind_of(parsed.tree)
        except NotParsed as exc:
            if first_word(row["query"]) not in _QUERIES:  # as in savepoint $1
                self.utility_ms += row["total_ms"]
                return
            self.unread.append(Unread(name, VIEW, exc.reason))
        except NoQuery:
            self.utility_ms += row["total_ms"]
        else:
            if reads_system_alone(parsed.tree):
                self.system_ms += row["total_ms"]
                return
            if not row["top_level"]:
                self.nested_ms += row["total_ms"]
                name += _NESTED
            self.candidates.append(
                Candidate(name, parsed, VIEW, weight=float(row["calls"]), observed=_observed(row))
            )

    def notes(self, all_ms: float, role: str) -> list[str]:
        """What was left out, with its share of *all_ms*, the time of all statements in ms."""
        found = []
        if self.utility_ms:
            share = _share(self.utility_ms, all_ms)
            found.append(f"utility statements took {share} of the time and are left out")
        if self.system_ms:
            found.append(
                f"statements on no table but the system's took {_share(self.system_ms, all_ms)} of the time "
                f"and are left out; what functions run is counted with {VIEW}.track = 'all'"
            )
        if self.nested_ms:
            found.append("statements inside functions are counted, and their time in their callers' as well")
        if self.hidden_ms:
            found.append(
                f"statements of other users, {_share(self.hidden_ms, all_ms)} of the time, are hidden: "
                f"grant pg_read_all_stats to {role} to see them"
            )
        return found


def _observed(row: Mapping[str, Any]) -> Observed:
    return Observed(
        calls=row["calls"],
        total_ms=row["total_ms"],
        mean_ms=row["mean_ms"],
        max_ms=row["max_ms"],
        rows=row["rows"],
        blocks_hit=row["blocks_hit"],
        blocks_read=row["blocks_read"],
        temp_blocks_written=row["temp_blocks_written"],
        wal_bytes=row["wal_bytes"],
    )


def _share(part_ms: float, all_ms: float) -> str:
    return f"{100 * part_ms / all_ms:.1f} %" if all_ms else "0 %"


def _since_notes(since: Mapping[str, Any] | None) -> list[str]:
    if since is None:
        return []
    notes = []
    if since["since"]:
        short = ": less than a day, which may be no fair picture of the use" if since["recent"] else ""
        notes.append(f"counted since {since['since']}{short}")
    if since["thrown_out"]:
        notes.append(
            f"{since['thrown_out']:,} times the rarest statements were thrown out for want of room: "
            f"raise {VIEW}.max"
        )
    return notes
