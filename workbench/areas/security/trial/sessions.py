"""How a session of the source says for whom it acts: by a setting that its policies read, or by its role."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.design.text import text_of
from workbench.engines.postgres import Connection
from workbench.errors import BadInput

_ASKED = "security/trial/asked.sql"
# current_setting('a.b', true), what closes around it, and the path into the JSON that it is
_READ = re.compile(
    r"current_setting\(\s*'(?P<name>(?:[^']|'')+)'(?:::[\w.]+)?\s*(?:,\s*\w+\s*)?\)"
    r"(?:\s|\)|::[\w.]+|,\s*''(?:::[\w.]+)?|,\s*'\{\}'(?:::[\w.]+)?)*"
    r"(?P<path>(?:->>?\s*'(?:[^']|'')*'(?:::[\w.]+)?[\s)]*|#>>\s*'\{[^']*\}'(?:::[\w.]+)?)*)",
    re.IGNORECASE,
)
_STEP = re.compile(r"->>?\s*'((?:[^']|'')*)'|#>>\s*'\{([^']*)\}'")
_GIVEN = re.compile(r"(?P<name>[\w.]+)\s*(?P<path>(?:->>?\s*'?[\w.-]+'?\s*)*)")
_GIVEN_STEP = re.compile(r"->>?\s*'?([\w.-]+)'?")
_USER = re.compile(r"\b(current_user|session_user|current_role)\b", re.IGNORECASE)
_ROLE = "role"  # a claim that names the role of the session, as PostgREST's does
_SERVERS_OWN = frozenset({"role", "session_authorization", "is_superuser"})


@dataclass(frozen=True)
class Said:
    """A setting in which a session says for whom it acts; with *path* it is JSON and the value is there."""

    setting: str
    path: tuple[str, ...] = ()

    @property
    def expression(self) -> composed.Composable:
        """The value as text; null where it is empty or not set."""
        value = composed.SQL("nullif(pg_catalog.current_setting({}, true), '')").format(
            composed.Literal(self.setting)
        )
        if not self.path:
            return value
        steps = composed.SQL(", ").join(map(composed.Literal, self.path))
        return composed.SQL("({}::jsonb #>> array[{}])").format(value, steps)


@dataclass(frozen=True)
class Session:
    """All *said* that the policies of a source ask for; *by_role*: whether they ask for the user's name."""

    said: tuple[Said, ...] = ()
    by_role: bool = False

    @property
    def settings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.setting for each in self.said))

    def expression(self, sql_type: str) -> str:
        """SQL of *sql_type* that says for whom the session acts, null for nobody; nothing where none can."""
        kind = composed.SQL(sql_type)
        if self.by_role:
            return text_of(composed.SQL("current_user::{}").format(kind))
        if not self.said:
            return ""
        values = composed.SQL(", ").join(each.expression for each in self.said)
        one = values if len(self.said) == 1 else composed.SQL("coalesce({})").format(values)
        return text_of(composed.SQL("(select ({})::{})").format(one, kind))

    def act(self, conn: Connection, identity: str | None) -> None:
        """Let *conn* act for *identity*, as a client does; for nobody it says nothing."""
        if identity is None:
            return
        for name, value in self.values(identity, conn.info.user).items():
            conn.execute("select pg_catalog.set_config(%s, %s, false)", [name, value])

    def values(self, identity: str, role: str) -> dict[str, str]:
        """What each setting is to be for *identity*: bare, or JSON with it where it is asked for."""
        found: dict[str, str] = {}
        for name in self.settings:
            paths = [each.path for each in self.said if each.setting == name and each.path]
            found[name] = _as_json(paths, identity, role) if paths else identity
        return found


def session_of(conn: Connection, given: str | None = None) -> Session:
    """How sessions of the database behind *conn* act for somebody.

    *given* names it where the policies do not: ``app.tenant``, or ``request.jwt.claims ->> sub``.
    Raises BadInput where *given* is no such name.
    """
    if given is not None:
        return Session((_given(given),))
    asked = sql.fetch(conn, _ASKED)
    said = tuple(dict.fromkeys(said_in(each["text"] for each in asked)))
    by_role = not said and any(_USER.search(each["text"]) for each in asked if each["condition"])
    return Session(said, by_role)


def said_in(texts: Iterable[str]) -> list[Said]:
    """The settings that SQL *texts* read, with the path to the value in those that are JSON."""
    return [
        Said(
            match["name"].replace("''", "'"),
            tuple(
                part
                for key, path in _STEP.findall(match["path"])
                for part in ([key.replace("''", "'")] if key else path.split(","))
            ),
        )
        for text in texts
        for match in _READ.finditer(text)
        if match["name"] not in _SERVERS_OWN
    ]


def _given(text: str) -> Said:
    match = _GIVEN.fullmatch(text.strip())
    if match is None:
        raise BadInput(
            f"{text} is no setting: write its name, such as app.tenant, or where the identity is in JSON, "
            "request.jwt.claims ->> sub"
        )
    return Said(match["name"], tuple(_GIVEN_STEP.findall(match["path"])))


def _as_json(paths: Iterable[tuple[str, ...]], identity: str, role: str) -> str:
    whole: dict[str, Any] = {}
    for path in paths:
        here = whole
        for key in path[:-1]:
            below = here.setdefault(key, {})
            if not isinstance(below, dict):
                break
            here = below
        else:
            here.setdefault(path[-1], role if path == (_ROLE,) else identity)
    return json.dumps(whole)
