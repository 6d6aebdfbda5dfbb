"""What the live design lets through beyond the intent, or refuses in spite of it, each with its fix tried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import psycopg2

from workbench.areas.security.access.reading import access_facts
from workbench.areas.security.attacks.matrix import matrix
from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.attacks.probes import PROBES, probe_attempts
from workbench.areas.security.design.model import Design
from workbench.areas.security.intent.model import Intent, Rule
from workbench.areas.security.intent.permissions import rules_for
from workbench.areas.security.live.attacking import judged, of_what_is_there
from workbench.areas.security.live.differences import Difference, differences, tables_of
from workbench.areas.security.live.fixes import Fix, Fixing
from workbench.areas.security.trial import Target, target_copy
from workbench.catalog.model import qualified, quoted
from workbench.engines.postgres import Connection
from workbench.proof.findings import Evidence, Finding, Severity

_AREA = "security"
_VERBS = {
    "select": "reads", "insert": "inserts into", "update": "changes", "delete": "deletes from",
    "truncate": "empties",
}  # fmt: skip
_INFINITIVES = {"select": "read", "insert": "insert into", "update": "change", "delete": "delete from"}
_ROWS = {
    "select": "reads rows {} in", "insert": "inserts rows {} into", "update": "changes rows {} in",
    "delete": "deletes rows {} from",
}  # fmt: skip
_TITLES = {
    "4": "{} acts for whom it likes: it writes the setting itself",
    "5": "{} owns tables whose row security does not bind it",
    "12": "{} reaches rows of others by foreign keys",
    "13": "{} deletes rows of others by cascades",
    "18": "{} may call a SECURITY DEFINER function that is not safe",
    "21": "{} may plant triggers, which run as whoever writes next",
}
_WARNED = frozenset({"5", "12", "13", "18"})


def findings_of_found(target: Target, run: AttackRun, design: Design | None = None) -> list[Finding]:
    """A finding for each role, object and operation that *run* on the live *target* found not as declared.

    *design* is the intent's own, of which some fixes are a part. Each fix that stands for itself is run in
    a copy, and the same attacks again; `unverified_because` says what of the others.
    """
    found = differences(run.attempts, target.place.catalog)
    if not found:
        return []
    with target.place.server.session(target.database) as conn:
        fixing = Fixing(target, access_facts(conn), design)
        invokers = {name for name, each in fixing.facts.relations_by_name.items() if each.security_invoker}
    found = [each for each in found if not (each.kind == "view" and each.table in invokers)]
    fixes = [fixing.of(each) for each in found]
    outcomes = _tried(target, run, found, fixes)
    return [
        _finding(difference, fix, why_not, target, run.engine)
        for difference, fix, why_not in zip(found, fixes, outcomes, strict=True)
    ]


def _tried(target: Target, run: AttackRun, found: list[Difference], fixes: list[Fix]) -> list[str]:
    """For each of *found* why its fix is not proved; nothing where the fix closes it and breaks nothing."""
    why = [each.why_not for each in fixes]
    tried = [number for number, each in enumerate(fixes) if not each.why_not]
    if not tried:
        return why
    server = target.place.server
    with target_copy(target, "fixed", owner=target.place.deployer) as name:
        with server.session(name) as conn:
            for number in tried:
                why[number] = _applied(conn, fixes[number].statements)
        fixed = replace(target, database=name)
        before = {each.key for each in run.attempts if not each.as_declared}
        after = _again(fixed, [found[number] for number in tried])
    for number in tried:
        why[number] = why[number] or _still(found[number], after, before)
    return why


def _applied(conn: Connection, statements: str) -> str:
    try:
        with _transaction(conn):
            conn.execute(statements)
    except psycopg2.Error as exc:
        return f"the fix cannot be applied: {(exc.diag.message_primary or str(exc)).splitlines()[0]}"
    return ""


@contextlib.contextmanager
def _transaction(conn: Connection) -> Iterator[None]:
    conn.execute("begin")
    try:
        yield
        conn.execute("commit")
    except BaseException:
        conn.execute("rollback")
        raise


def _again(fixed: Target, found: list[Difference]) -> Mapping[str, Attempt]:
    """The attacks on what *found* concerns, once the fixes are in place."""
    tables = set(tables_of(each for each in found))
    numbers = {each.number or "7" for each in found if each.kind in ("way around", "view")}
    with matrix(fixed) as made:
        attempts = made.attempts(only=lambda case: case.table in tables)
    attempts += probe_attempts(fixed, only=numbers, left_out=[])
    return {each.key: judged(each) for each in attempts if of_what_is_there(each)}


def _still(difference: Difference, after: Mapping[str, Attempt], before: set[str]) -> str:
    """Why the fix of *difference* is none: what is open yet, or what it closes too much."""
    open_yet = [
        each.name for each in difference.attempts if each.key not in after or not after[each.key].as_declared
    ]
    if open_yet:
        return f"with the fix, this still ends otherwise than declared: {open_yet[0]}"
    broken = [
        each
        for each in after.values()
        if each.table in difference.tables and not each.as_declared and each.key not in before
    ]
    if broken:
        return f"the fix takes more than it should: {broken[0].role}, {broken[0].name}: {broken[0].detail}"
    return ""


# what is said


def _finding(difference: Difference, fix: Fix, why_not: str, target: Target, engine: str) -> Finding:
    example = difference.example
    facts = {
        "attempts": len(difference.attempts),
        "rows": example.rows,
        "declared_rows": example.declared_rows,
        "sqlstate": example.sqlstate,
        "statement": example.statement,
    }
    closed = (
        []
        if why_not
        else [Evidence("fix-closes-finding", "with all such fixes the attacks end as declared", engine)]
    )
    return Finding(
        area=_AREA,
        check="live_more" if difference.more else "live_less",
        severity=_severity(difference),
        object=_object(difference),
        title=_title(difference, target),
        why=f"{_declared(difference, target)} {_observed(example)}",
        fix=fix.statements,
        verified=not why_not,
        unverified_because=why_not,
        evidence=(Evidence("attempt", _observed(example), engine, facts), *closed),
    )


def _severity(difference: Difference) -> Severity:
    if difference.kind == "sequence":
        return "info"
    if not difference.more or difference.kind == "role" or difference.number in _WARNED:
        return "warn"
    if difference.kind == "view":
        return "error" if any(each.row == "other" for each in difference.attempts) else "warn"
    return "error"


def _object(difference: Difference) -> str:
    if difference.kind == "way around":
        part = f".{quoted(difference.operation.partition(' ')[0])}" if difference.operation else ""
        return f"{quoted(difference.role)}.probe_{difference.number}{part}"
    parts = [difference.where, quoted(difference.role), difference.operation.replace(" ", "_")]
    return ".".join(filter(None, parts))


def _title(difference: Difference, target: Target) -> str:
    role, where = difference.role, difference.where
    if difference.kind == "way around":
        return _TITLES.get(difference.number, "{}: " + _probe_title(difference.number)).format(role)
    if difference.kind == "sequence":
        return f"{role} may use or set sequences that its rules do not need"
    if difference.kind == "role":
        return _of_role(difference)
    if not difference.more:
        return f"{role} cannot {_INFINITIVES[difference.operation]} {where} as the intent allows"
    verb = _VERBS.get(difference.operation, difference.operation)
    if difference.kind == "view":
        return f"{role} {verb} {where}, a view with its owner's rights"
    if not _rules(difference, target):
        return f"{role} {verb} {where}, which no rule allows"
    columns = [column for each in difference.attempts if (column := each.name.partition(" column ")[2])]
    if len(columns) == len(difference.attempts):
        return (
            f"{role} {verb} columns of {where} that no rule opens to it: {', '.join(dict.fromkeys(columns))}"
        )
    others = any(each.row == "other" for each in difference.attempts)
    return (
        f"{role} {_ROWS[difference.operation].format('of others' if others else 'beyond its rules')} {where}"
    )


def _of_role(difference: Difference) -> str:
    role = difference.role
    if difference.operation == "set role":
        others = dict.fromkeys(each.name.removeprefix("set role ") for each in difference.attempts)
        return f"{role} may become {', '.join(others)}, which the intent does not say"
    if difference.operation == "connect":
        return f"{role} {'logs in, and the intent calls it a group' if difference.more else 'cannot log in'}"
    return f"{role} has attributes that go around rules: bypassrls, createrole, createdb or replication"


def _probe_title(number: str) -> str:
    return {each.number: each.title for each in PROBES}[number].lower()


def _rules(difference: Difference, target: Target) -> list[Rule]:
    if difference.table is None:
        return []
    found = rules_for(target.intent, difference.role, difference.table, difference.operation)  # type: ignore[arg-type]
    return list(found)


def _declared(difference: Difference, target: Target) -> str:
    """The rule of the intent, with its line."""
    rules = _rules(difference, target)
    if rules:
        return " ".join(_rule(each, target.intent) for each in rules)
    if difference.number == "4":
        return (
            f"By the intent {difference.role} reaches rows of whom it acts for, and whoever can send SQL as "
            f"{difference.role} says for whom: {', '.join(target.settings)} is a setting like any other."
        )
    if difference.kind == "way around":
        return f"The intent gives {difference.role} no way to it."
    if difference.kind == "role":
        return "The intent says who is a member of whom, and what nobody said is refused."
    where = difference.where or ", ".join(qualified(*each) for each in difference.tables[:3])
    what = "use" if difference.kind == "sequence" else difference.operation
    return f"No rule of the intent lets {difference.role} {what} {where}."


def _rule(rule: Rule, intent: Intent) -> str:
    line = f"line {rule.line}" if rule.line else "a rule"
    place = f"{Path(intent.path).name}, {line}" if intent.path else line.capitalize()
    rows = "its own rows" if rule.rows == "own" else "all rows"
    where = f" where {rule.where}" if rule.where else ""
    columns = f", columns {', '.join(rule.columns)}" if rule.columns else ""
    return f"{place}: {rule.role} may {', '.join(rule.operations)}, {rows}{where}{columns}."


def _observed(example: Attempt) -> str:
    rows = (
        "" if example.declared_rows is None or example.rows is None else f", {example.declared_rows} declared"
    )
    return (
        f"Tried for {example.identity or 'nobody'}, {example.name}: {example.observed} "
        f"{example.sqlstate} {example.detail if not rows else f'{example.rows} rows{rows}'}"
    ).strip() + "."
