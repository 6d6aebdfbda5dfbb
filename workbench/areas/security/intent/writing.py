"""An intent as the YAML that `read_intent` reads, with what was guessed as comments."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Iterator

from workbench.areas.security.intent.model import Intent, Label, RoleIntent, RowOwner, Rule, TableName
from workbench.catalog.model import qualified

_WIDTH = 100
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "all"})


def write_intent(intent: Intent) -> str:
    """The YAML of *intent*, its notes as comments; `read_intent` gives an equal intent."""
    return "\n".join(_lines(intent)) + "\n"


def _lines(intent: Intent) -> Iterator[str]:
    yield from _comment(intent, (), "")
    yield f"intent: {_scalar(intent.name)}"
    yield f"schema: {_scalar(intent.schema)}  # where the design's own functions live"
    if intent.identity is not None:
        yield ""
        yield from _comment(intent, ("identity",), "")
        yield "identity:"
        yield f"  is: {_scalar(qualified(*intent.identity.table, intent.identity.column))}"
        yield f"  type: {_scalar(intent.identity.type)}"
        yield f"  token_lifetime: {_duration(intent.identity.token_lifetime_s)}"
    yield ""
    yield "roles:"
    for role in intent.roles:
        yield from _comment(intent, ("role", role.name), "  ")
        yield f"  {_scalar(role.name)}: {_role(role)}"
    if intent.owners:
        yield ""
        yield "# To whom a row belongs."
        yield "owners:"
        for owner in intent.owners.values():
            yield from _comment(intent, ("owner", *owner.table), "  ")
            yield f"  {_scalar(qualified(*owner.table))}: {_owner(owner)}"
    if intent.labels:
        yield ""
        yield "labels:"
        for label in intent.labels:
            yield from _comment(intent, ("label", label.name), "  ")
            yield from _label(label)
    yield ""
    yield from _rules(intent, "rules", intent.rules)
    if intent.never:
        yield ""
        yield "# Whatever the rules and the inheritance add up to, these must stay false."
        yield from _rules(intent, "never", intent.never)
    if intent.audit is not None:
        yield ""
        yield from _comment(intent, ("audit",), "")
        yield "audit:"
        yield f"  schema: {_scalar(intent.audit.schema)}"
        yield from _listed("  tables", [qualified(*each) for each in intent.audit.tables])
        yield from _listed("  by_row", [qualified(*each) for each in intent.audit.by_row])
        yield from _listed("  readers", intent.audit.readers)
        yield f"  retention_months: {intent.audit.retention_months}"
        yield f"  truncate: {intent.audit.truncate}"


def _comment(intent: Intent, key: tuple[str, ...], indent: str) -> Iterator[str]:
    for line in intent.notes.get(key, "").splitlines():
        # a name in it may hold any character, and a line end would end the comment
        safe = "".join(each if each.isprintable() else "?" for each in line)
        for part in textwrap.wrap(safe, _WIDTH - len(indent), break_long_words=False) or [""]:
            yield f"{indent}# {part}"


def _role(role: RoleIntent) -> str:
    parts = [f"kind: {role.kind}"]
    if role.identified != "none":
        parts.append(f"identified: {role.identified}")
    if role.inherits:
        parts.append(f"inherits: {_flow(role.inherits)}")
    if role.existing:
        parts.append("existing: true")
    if role.connection_limit is not None:
        parts.append(f"connection_limit: {role.connection_limit}")
    if role.description:
        parts.append(f"description: {_quoted(role.description)}")
    return "{" + ", ".join(parts) + "}"


def _owner(owner: RowOwner) -> str:
    if owner.parent is None:
        return _scalar(owner.column or "")
    return (
        f"{{columns: {_flow(owner.columns)}, of: {_scalar(qualified(*owner.parent))}, "
        f"parent_columns: {_flow(owner.parent_columns)}}}"
    )


def _label(label: Label) -> Iterator[str]:
    yield f"  {_scalar(label.name)}:"
    by_table: dict[TableName, list[str]] = {}
    for schema, table, column in label.columns:
        by_table.setdefault((schema, table), []).append(column)
    yield "    columns:" if by_table else "    columns: {}"
    for name, columns in by_table.items():
        yield from _listed(f"      {_scalar(qualified(*name))}", columns)
    yield from _listed("    seen_by", label.seen_by)
    yield f"    audited: {label.audited}"
    if label.encrypted:
        yield "    encrypted: true"


def _rules(intent: Intent, key: str, rules: Iterable[Rule]) -> Iterator[str]:
    rules = list(rules)
    yield f"{key}:" if rules else f"{key}: []"
    for number, rule in enumerate(rules):
        if key == "rules":
            yield from _comment(intent, ("rule", str(number)), "  ")
        yield f"  - role: {_scalar(rule.role)}"
        yield f"    may: {_flow(rule.operations)}"
        if rule.rows != "all":
            yield f"    rows: {rule.rows}"
        yield from _listed("    on", [qualified(*each) for each in rule.tables])
        if rule.where is not None:
            yield f"    where: {_quoted(rule.where)}"
        if rule.columns is not None:
            yield from _listed("    columns", rule.columns)


def _listed(key: str, values: Iterable[str]) -> Iterator[str]:
    """On one line where it is short, else one a line."""
    values = list(values)
    line = f"{key}: {_flow(values)}"
    if len(line) <= _WIDTH:
        yield line
        return
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    yield f"{key}:"
    yield from (f"{indent}- {_scalar(each)}" for each in values)


def _flow(values: Iterable[str]) -> str:
    return "[" + ", ".join(_scalar(each) for each in values) + "]"


def _duration(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds % 60 == 0 else f"{seconds} seconds"


def _scalar(text: str) -> str:
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return _quoted(text)


def _quoted(text: str) -> str:
    """A double-quoted scalar; what cannot be printed is escaped as YAML does (1.1, section 5.6)."""
    return '"' + "".join(_escaped(each) for each in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return json.dumps(character)[1:-1]
    if character.isprintable():
        return character
    return f"\\U{ord(character):08X}"
