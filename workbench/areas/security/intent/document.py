"""The YAML of an intent as typed data, and on which line each piece of it stands."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from workbench.areas.security.intent.model import (
    Identification,
    RoleKind,
    Rows,
    Truncation,
)
from workbench.areas.security.intent.problems import IntentError, Problem
from workbench.errors import printable

_TOO_DEEP = Problem(1, "it is nested too deep: an intent has five levels")
Location = tuple[str | int, ...]


def _as_list(given: object) -> object:
    return [given] if isinstance(given, str) else given


def _as_mapping(given: object) -> object:
    return {} if given is None else given


Names = Annotated[list[str], BeforeValidator(_as_list)]
Operations = Annotated[
    list[Literal["select", "insert", "update", "delete", "all"]],
    BeforeValidator(_as_list),
    Field(min_length=1),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleSection(_Section):
    kind: RoleKind = "group"
    description: str = ""
    inherits: Names = []
    identified: Identification = "none"
    existing: bool = False
    connection_limit: int | None = Field(default=None, ge=0)


class IdentitySection(_Section):
    is_: str = Field(alias="is")
    type: str | None = None
    token_lifetime: str = "15 minutes"  # noqa: S105 - a duration


class OwnerSection(_Section):
    column: str | None = None
    columns: Names = []
    of: str | None = None
    parent_columns: Names = []


def _as_owner(given: object) -> object:
    return {"column": given} if isinstance(given, str) else given


class LabelSection(_Section):
    columns: dict[str, Names]
    seen_by: Names = []
    audited: Literal["kept", "redacted", "omitted"] = "redacted"
    encrypted: bool = False


class RuleSection(_Section):
    role: Annotated[Names, Field(min_length=1)]
    may: Operations
    on: Annotated[Names, Field(min_length=1)]
    rows: Rows = "all"
    where: str | None = None
    columns: Annotated[Names, Field(min_length=1)] | None = None


class AuditSection(_Section):
    schema_: str = Field(default="audit", alias="schema")
    tables: Names = []
    by_row: Names = []
    readers: Names = []
    retention_months: int = Field(default=24, ge=1, le=1200)
    truncate: Truncation = "logged"


class IntentSection(_Section):
    intent: str
    schema_: str = Field(default="access", alias="schema")
    identity: IdentitySection | None = None
    roles: dict[str, Annotated[RoleSection, BeforeValidator(_as_mapping)]] = Field(min_length=1)
    owners: Annotated[
        dict[str, Annotated[OwnerSection, BeforeValidator(_as_owner)]], BeforeValidator(_as_mapping)
    ] = {}
    labels: Annotated[dict[str, LabelSection], BeforeValidator(_as_mapping)] = {}
    rules: list[RuleSection] = []
    never: list[RuleSection] = []
    audit: AuditSection | None = None


@dataclass
class Document:
    """An intent file: its typed *content*, and the line of each location in it."""

    path: str
    content: IntentSection
    lines: Mapping[Location, int]

    def line(self, *location: str | int) -> int:
        """The line of *location*, or of the nearest part around it that has one."""
        while location and location not in self.lines:
            location = location[:-1]
        return self.lines.get(location, 1)


@dataclass
class _Reader:
    """Turns YAML nodes to text, lists and mappings: a name such as ``no`` or ``on`` stays what it is."""

    lines: dict[Location, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def read(self, node: yaml.Node, at: Location = ()) -> Any:
        if id(node) in self.seen:  # an alias (*name) gives the node of its anchor again, or itself
            line = node.start_mark.line + 1
            text = "what is here is referred to by an alias (*) elsewhere: write it out there"
            self.problems.append(Problem(line, text))
            return None
        self.seen.add(id(node))
        self.lines.setdefault(at, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(each, (*at, number)) for number, each in enumerate(node.value)]
        return None if node.tag == "tag:yaml.org,2002:null" else node.value

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(line, "a key must be a name: write it in quotes"))
                continue
            if key.value in found:
                first = self.lines[(*at, key.value)]
                self.problems.append(
                    Problem(
                        line,
                        f"{printable(key.value)} is said twice, first on line {first}: keep one of them",
                    )
                )
                continue
            self.lines[(*at, key.value)] = line
            found[key.value] = self.read(value, (*at, key.value))
        return found


def parse(text: str, path: str) -> Document:
    """The YAML *text*; *path* is for messages. Raises IntentError with every problem of its structure."""
    node = _compose(text, path)
    reader = _Reader()
    try:
        data = reader.read(node)
    except RecursionError:
        raise IntentError(path, [_TOO_DEEP]) from None
    lines = reader.lines
    if not isinstance(data, dict):
        raise IntentError(path, [Problem(1, "an intent is a mapping with the keys intent, roles and rules")])
    document = Document(path, IntentSection.model_construct(), lines)
    try:
        content = IntentSection.model_validate(data)
    except ValidationError as exc:
        wrong = [
            Problem(document.line(*each["loc"]), _said(dict(each))) for each in exc.errors(include_url=False)
        ]
        raise IntentError(path, [*reader.problems, *wrong]) from None
    if reader.problems:
        raise IntentError(path, reader.problems)
    return Document(path, content, lines)


def _compose(text: str, path: str) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        said = " ".join(f"{exc.context or ''} {exc.problem or ''}".split())
        raise IntentError(path, [Problem(line, f"this is not YAML: {said}: mend the line")]) from exc
    except yaml.YAMLError as exc:  # a character that YAML does not allow
        said = " ".join(str(exc).split())
        raise IntentError(path, [Problem(1, f"this is not YAML: {said}: take it out")]) from exc
    except RecursionError:
        raise IntentError(path, [_TOO_DEEP]) from None
    if node is None:
        raise IntentError(
            path, [Problem(1, "the intent is empty: it needs the keys intent, roles and rules")]
        )
    return node


_KEYS: dict[str, tuple[str, ...]] = {
    "": tuple(each.alias or name for name, each in IntentSection.model_fields.items()),
    "roles": tuple(RoleSection.model_fields),
    "identity": ("is", "type", "token_lifetime"),
    "owners": tuple(OwnerSection.model_fields),
    "labels": tuple(LabelSection.model_fields),
    "rules": tuple(RuleSection.model_fields),
    "never": tuple(RuleSection.model_fields),
    "audit": tuple(each.alias or name for name, each in AuditSection.model_fields.items()),
}


def _said(error: Mapping[str, Any]) -> str:
    """What pydantic says, in our words: where, what, and what to do."""
    location = [each for each in error["loc"] if isinstance(each, str)]
    last = printable(location[-1]) if location else "the intent"
    where = ".".join(printable(each) for each in location)
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _KEYS.get(location[0] if len(location) > 1 else "", ())
        near = difflib.get_close_matches(location[-1], known, 1)
        hint = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
        return f"{last} is no key of an intent{f' in {location[0]}' if len(location) > 1 else ''}: {hint}"
    if kind == "missing":
        return f"{where} is missing: add it"
    if kind == "literal_error":
        expected = error["ctx"]["expected"].replace("'", "")
        return f"{where}: {printable(str(error['input']))} is not known here: write {expected}"
    expected = {
        "string_type": "a name",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "int_parsing": "a whole number",
        "bool_parsing": "true or false",
        "too_short": "at least one",
    }.get(kind)
    return f"{where}: write {expected}" if expected else f"{where}: {error['msg'].lower()}"
