"""A function with its owner's rights, made to run somebody else's code: tried with every name that it has."""

from __future__ import annotations

import secrets
from typing import Any

import psycopg2
from pglast.parser import ParseError, scan
from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.posture.attempts import TRIAL, Outcome, acting_as, call_of, enter
from workbench.areas.security.posture.running import Row
from workbench.engines.postgres import Connection

MARK = "workbench probe ran as"
_NAMES_TRIED = 25


def make_outsider(conn: Connection) -> str:
    """A role without any right, with a schema of its own that holds the probe; the superuser's to drop."""
    name = f"wb_outsider_{secrets.token_hex(4)}"
    text = composed.SQL(sql.read(f"{TRIAL}/outsider.sql")).format(
        outsider=composed.Identifier(name), mark=composed.SQL(MARK)
    )
    conn.execute(text)
    return name


def hijack(conn: Connection, row: Row, outsider: str) -> Outcome:
    """Puts a view or a function before each one that the body names without a schema, and calls it.

    The probe tells as whom it was run. One name after the other, in the attacker's schema and as a
    temporary object, until one of them is run with the rights of the owner.
    """
    (function,) = sql.fetch(conn, f"{TRIAL}/function.sql", {"function": row["oid"]})
    if function["is_trigger"]:
        return Outcome(None, "it is a trigger's function, which runs where its trigger fires")
    if not function["called_by_public"] and not function["named_caller"]:
        return Outcome(None, "nobody but its owner may call it")
    names = unqualified(function["source"])
    shadows = sql.fetch(conn, f"{TRIAL}/shadowable.sql", {"names": names})[:_NAMES_TRIED]
    if _uses_operators(function["source"]):
        shadows.append({"kind": "operator", "schema": function["schema"], "name": "="})
    if not shadows:
        return Outcome(None, "its body names nothing without a schema that could be put before it")
    _may_call(conn, function, outsider)
    for shadow in shadows:
        for temporary in (False, True):
            if temporary and shadow["kind"] != "relation":
                continue  # PostgreSQL never looks for others among the temporary objects
            ran_as = _ran_as(conn, function, shadow, outsider, temporary=temporary)
            if ran_as == function["owner"]:
                where = "as a temporary object" if temporary else "in a schema of its own"
                return Outcome(
                    True,
                    f"a caller put the {shadow['kind']} {shadow['name']} before the one that is meant, "
                    f"{where}, and it ran with the rights of the owner",
                    {"shadowed": shadow["name"], "temporary": temporary},
                )
    tried = sorted({shadow["name"] for shadow in shadows})
    return Outcome(False, f"put before it and not run: {', '.join(tried)}", {"tried": len(tried)})


def unqualified(body: str) -> list[str]:
    """The names in *body* that stand without a schema before them, in order and each once."""
    try:
        tokens = scan(body)
    except ParseError:
        return []
    names: dict[str, None] = {}
    for position, token in enumerate(tokens):
        text = body[token.start : token.end + 1]
        before = tokens[position - 1].name if position else ""
        after = tokens[position + 1].name if position + 1 < len(tokens) else ""
        if before == "ASCII_46" or after == "ASCII_46":
            continue
        if token.name == "IDENT":
            names[text[1:-1].replace('""', '"') if text.startswith('"') else text.lower()] = None
        elif token.kind.startswith(("UNRESERVED", "COL_NAME", "TYPE_FUNC_NAME")):
            names[text.lower()] = None
    return list(names)


def _uses_operators(body: str) -> bool:
    """Whether *body* has an operator that stands without a schema before it."""
    try:
        tokens = scan(body)
    except ParseError:
        return False
    found = {"ASCII_61", "ASCII_60", "ASCII_62", "ASCII_43", "ASCII_45", "Op"}
    found |= {"NOT_EQUALS", "LESS_EQUALS", "GREATER_EQUALS"}
    return any(token.name in found for token in tokens)


def _may_call(conn: Connection, function: Row, outsider: str) -> None:
    """Let the outsider do what any caller may: enter the schema, be one of those who may call it."""
    enter(conn, function["schema"], outsider)
    if not function["called_by_public"]:
        conn.execute(
            composed.SQL("grant {} to {}").format(
                composed.Identifier(function["named_caller"]), composed.Identifier(outsider)
            )
        )


def _ran_as(conn: Connection, function: Row, shadow: Row, outsider: str, *, temporary: bool) -> str | None:
    """As whom the probe ran with *shadow* in place; None where it did not run."""
    conn.notices.clear()
    try:
        with acting_as(conn, outsider):
            conn.execute("set local client_min_messages = notice")  # the probe tells by one
            _put(conn, shadow, outsider, temporary=temporary)
            conn.execute(
                composed.SQL("set local search_path = {}, {}, pg_catalog").format(
                    composed.Identifier(outsider), composed.Identifier(shadow["schema"])
                )
            )
            conn.execute(call_of(function))
    except psycopg2.Error:
        if conn.closed:
            raise
    said = [each for each in conn.notices if MARK in each]
    return said[0].partition(MARK)[2].strip() if said else None


def _put(conn: Connection, shadow: Row, outsider: str, *, temporary: bool) -> None:
    if shadow["kind"] == "operator":
        conn.execute(
            composed.SQL(sql.read(f"{TRIAL}/shadow_operators.sql")).format(schema=composed.Literal(outsider))
        )
        return
    parts: dict[str, Any] = {
        "outsider": composed.Identifier(outsider),
        "name": composed.Identifier(shadow["name"]),
        "form": composed.SQL(shadow["form"] or ""),  # as the server printed it
        "place": composed.SQL("") if temporary else composed.SQL("{}.").format(composed.Identifier(outsider)),
    }
    if shadow["kind"] == "relation":
        parts["temporary"] = composed.SQL("temporary" if temporary else "")
        template = "shadow_relation.sql"
    else:
        result = shadow["result"] or "void"
        parts["result"] = composed.SQL(result)
        plain = not result.startswith(("SETOF", "TABLE")) and result != "void"
        parts["nothing"] = composed.SQL(" null" if plain else "")
        template = "shadow_function.sql"
    conn.execute(composed.SQL(sql.read(f"{TRIAL}/{template}")).format(**parts))
