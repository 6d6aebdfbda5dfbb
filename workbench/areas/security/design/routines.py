"""Which routines run as the keeper, what they touch, and where they look for names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import FoundRoutine
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.text import identifiers, raw, render
from workbench.areas.security.intent.model import OPERATIONS, Operation, TableName
from workbench.catalog.model import qualified

_LOCKS = re.compile(r"\bfor\s+(no\s+key\s+)?(update|share)\b|\bfor\s+key\s+share\b")
_DYNAMIC = re.compile(r"\bexecute\b(?!\s+(function|procedure))")
_CALLER = re.compile(r"\b(current_user|current_role)\b")
_WORD = re.compile(r"\w+")
_EVENT = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
UNCALLED = "nobody may call it, and no trigger does"
NOT_USED = "it is for routines that nobody may call, and no trigger does"
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def reference(routine: FoundRoutine) -> composed.Composed:
    """The routine with its arguments, as DDL names it."""
    return composed.SQL("{}({})").format(
        composed.Identifier(routine.schema, routine.name), raw(routine.arguments)
    )


def title(routine: FoundRoutine) -> str:
    return f"{qualified(routine.schema, routine.name)}({routine.arguments})"


def kept(draft: Draft) -> tuple[FoundRoutine, ...]:
    """The routines that act on rows their caller may not touch: as the keeper, within their own text.

    Those that ran as their owner before, and trigger functions that name a table: a role that may insert
    an order need not be able to write the order's history by hand.
    """
    return tuple(
        each
        for each in draft.routines
        if each.alterable and (each.security_definer or (each.trigger and touched(draft, each)))
    )


def touched(draft: Draft, routine: FoundRoutine) -> dict[TableName, frozenset[Operation]]:
    """The tables that the routine's text names, and what it does to them."""
    if routine not in draft.touched:
        draft.touched[routine] = _touched(draft, routine)
    return draft.touched[routine]


def _touched(draft: Draft, routine: FoundRoutine) -> dict[TableName, frozenset[Operation]]:
    text = _COMMENT.sub(" ", routine.source).lower()
    if not _DYNAMIC.search(text):
        text = _LITERAL.sub("''", text)  # what a message says is not done
    words = set(_WORD.findall(text))
    found: dict[TableName, frozenset[Operation]] = {}
    for table in draft.tables:
        plain = table.name.lower()
        if plain not in words and (_WORD.fullmatch(plain) or plain.replace('"', '""') not in text):
            continue
        name = re.escape(plain)
        place = rf'(?:only\s+)?(?:"?{re.escape(table.schema.lower())}"?\s*\.\s*)?"?{name}"?(?!\w)'
        done: set[Operation] = {"select"}
        if re.search(rf"\binsert\s+into\s+{place}", text):
            done.add("insert")
            if re.search(rf"\binsert\s+into\s+{place}[^;]*\bdo\s+update\b", text):
                done.add("update")
        if re.search(rf"\bupdate\s+{place}", text) or _locked(text, place):
            done.add("update")
        if re.search(rf"\bdelete\s+from\s+{place}", text):
            done.add("delete")
        if re.search(rf"\bmerge\s+into\s+{place}", text):
            done.update(OPERATIONS)
        found[table.schema, table.name] = frozenset(done)
    return found


def _locked(text: str, place: str) -> bool:
    """Whether a query that locks rows reads the table, for it needs the right to change them."""
    return any(
        _LOCKS.search(each) and re.search(rf"\b(from|join)\s+{place}", each) for each in text.split(";")
    )


def is_called(draft: Draft, routine: FoundRoutine) -> bool:
    """Whether a trigger, or an expression of a table or view, calls the routine; nobody else may."""
    named = (routine.schema, routine.name, routine.arguments)
    return routine.trigger or any(
        (each.routine_schema, each.routine_name, each.arguments) == named
        for each in draft.found.used_routines
    )


def keeper_needs(draft: Draft, *, called: bool = False) -> dict[TableName, frozenset[Operation]]:
    """What the keeper must be granted for the routines that run as it; with *called* for those in use."""
    needs: dict[TableName, frozenset[Operation]] = {}
    for routine in kept(draft):
        if called and not is_called(draft, routine):
            continue
        for table, operations in touched(draft, routine).items():
            needs[table] = needs.get(table, frozenset()) | operations
    return needs


def routine_parts(draft: Draft) -> Iterator[Part]:
    """Each kept routine runs as the keeper and looks for names in schemas where nobody can plant one."""
    for routine in kept(draft):
        text = _COMMENT.sub(" ", routine.source).lower()
        if _DYNAMIC.search(text):
            draft.remarks.append(
                f"{title(routine)} builds statements from text: what it touches is not known, grant it to "
                f"{draft.keeper}"
            )
        if _CALLER.search(text):
            draft.remarks.append(
                f"{title(routine)} asks for current_user, which is {draft.keeper} from now on: "
                "session_user is who logged in"
            )
        yield _as_keeper(draft, routine)
        if not safe_path(routine.search_path):
            yield _path(draft, routine)


def _as_keeper(draft: Draft, routine: FoundRoutine) -> Part:
    named = reference(routine)
    owned = render(
        "kept_routine_owner",
        routine=named,
        owner=composed.Identifier(draft.keeper),
        schema=composed.Identifier(routine.schema),
    )
    definer = render("routine_security", routine=named, security=raw("definer"))
    invoker = render("routine_security", routine=named, security=raw("invoker"))
    back = render("routine_owner", routine=named, owner=draft.named(draft.before(routine.owner)))
    ours = routine.owner == draft.keeper
    fired_by = _fired_by(draft, routine)
    mutations = [
        draft.given_away(
            lambda owner: render("routine_owner", routine=named, owner=owner), draft.keeper, routine.schema
        )
    ]
    if _somebody_needs_it(draft, routine, fired_by):
        mutations.insert(0, draft.mutation("runs as its caller", invoker, definer))
    return Part(
        "function",
        title(routine),
        f"{owned}\n{definer}",
        back if routine.security_definer and not ours else f"{invoker}\n{back}",
        "It writes and reads what its caller may not: it runs as a role of its own that nobody can be",
        table=next(iter(fired_by), None),
        mutations=tuple(mutations),
    )


def _fired_by(draft: Draft, routine: FoundRoutine) -> dict[TableName, frozenset[Operation]]:
    """The tables that a trigger calls the routine for, and by which of their writes."""
    names = {f"{routine.schema}.{routine.name}", qualified(routine.schema, routine.name)}
    found: dict[TableName, frozenset[Operation]] = {}
    for table in draft.tables:
        events = {
            event.lower()
            for each in table.triggers
            if each.function.partition("(")[0] in names
            for event in _EVENT.findall(each.definition.partition(" ON ")[0])
        }
        if events:
            found[table.schema, table.name] = frozenset(each for each in OPERATIONS if each in events)
    return found


def _somebody_needs_it(
    draft: Draft, routine: FoundRoutine, fired_by: dict[TableName, frozenset[Operation]]
) -> bool:
    """Whether a login fires the trigger that may not do itself what the routine does.

    Of who may do it all, but of some rows alone, nothing is known to fail: it is not counted.
    """
    return any(
        any(
            draft.permission(login.name, table, each) for table, events in fired_by.items() for each in events
        )
        and any(
            draft.permission(login.name, table, each) is None
            for table, operations in touched(draft, routine).items()
            for each in operations
        )
        for login in draft.users
        if login.kind == "login"
    )


def safe_path(path: str | None) -> bool:
    """Whether no object of the caller's can be found in the place of what is meant.

    The temporary schema is searched first unless the path names it, so it must come last.
    """
    if path is None:
        return False
    names = [each.strip().strip('"') for each in path.split(",")]
    return names == [""] or (names[-1] == "pg_temp" and "$user" not in names and "pg_temp" not in names[:-1])


def _path(draft: Draft, routine: FoundRoutine) -> Part:
    named = reference(routine)
    extensions = [
        each.name for each in draft.found.schemas if each.extensions and each.name != routine.schema
    ]
    names = ["pg_catalog", routine.schema, *extensions, "pg_temp"]
    apply = render("routine_path", routine=named, path=identifiers(names))
    reset = render("routine_path_undo", routine=named)
    undo = (
        reset
        if routine.search_path is None
        else render("routine_path", routine=named, path=raw(routine.search_path))
    )
    called = is_called(draft, routine)
    return Part(
        "function",
        f"search_path of {title(routine)}",
        apply,
        undo,
        "A SECURITY DEFINER routine must not find its caller's objects (manual, CREATE FUNCTION)",
        mutations=(draft.mutation("search_path reset", reset, apply),) if called else (),
        spared="" if called else UNCALLED,
    )
