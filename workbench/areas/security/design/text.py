"""The design's SQL as text that psql runs as it is, made without a connection from the files of sql/."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Intent
from workbench.errors import BadInput

_FOLDER = "security/design"
_LONGEST_NAME_BYTES = 63  # NAMEDATALEN - 1
PUBLIC = composed.SQL("public")
NOTHING = composed.SQL("")


def render(file: str, /, **values: composed.Composable) -> str:
    """The statements of *file* with *values* in their places, without the file's header."""
    return text_of(composed.SQL(template(file)).format(**values))


@cache
def template(name: str) -> str:
    """The text of the file *name* below its header."""
    lines = sql.read(f"{_FOLDER}/{name}.sql").splitlines()
    while lines and lines[0].startswith("--"):
        lines.pop(0)
    return "\n".join(lines).strip()


def text_of(value: composed.Composable) -> str:
    """What psycopg2 would make of *value*, under standard_conforming_strings."""
    if isinstance(value, composed.Composed):
        return "".join(text_of(each) for each in value.seq)
    if isinstance(value, composed.Identifier):
        return ".".join(quoted_name(each) for each in value.strings)
    if isinstance(value, composed.Literal):
        return _literal(value.wrapped)
    if isinstance(value, composed.SQL):
        return value.string
    raise TypeError(f"{type(value).__name__} has no text without a connection")


def quoted_name(name: str) -> str:
    """*name* as an identifier, always in double quotes."""
    if not name or "\0" in name:
        raise BadInput("a name that is empty or holds a zero byte cannot be")
    return '"' + name.replace('"', '""') + '"'


def _literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int):
        return str(value).lower()
    return "'" + str(value).replace("'", "''") + "'"


def identifiers(names: Iterable[str]) -> composed.Composed:
    """Names of columns or roles, with commas between them."""
    return composed.SQL(", ").join([composed.Identifier(name) for name in names])


def raw(text: str) -> composed.SQL:
    """A part of a statement that is SQL already: a type, a condition of the intent."""
    return composed.SQL(text)


def roles(names: Sequence[str]) -> composed.Composed:
    """Grantees with commas between them; the empty name is PUBLIC."""
    return composed.SQL(", ").join([composed.Identifier(each) if each else PUBLIC for each in names])


def name_of(*words: str) -> str:
    """The words joined to one name that the server does not cut; too long a one ends in a hash of itself."""
    name = "_".join(words)
    encoded = name.encode()
    if len(encoded) <= _LONGEST_NAME_BYTES:
        return name
    ending = "_" + hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: _LONGEST_NAME_BYTES - len(ending)].decode(errors="ignore") + ending


def keeper_name(intent: Intent) -> str:
    """The role that trigger functions and the check of tokens run as, and nobody logs in as."""
    return name_of(intent.name, "keeper")
