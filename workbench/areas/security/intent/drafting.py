"""Rules one table at a time, freed of what cannot be, and put together as people would write them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from workbench.areas.security.audit.hidden import key_columns
from workbench.areas.security.intent.checks import problems_of
from workbench.areas.security.intent.model import AuditIntent, Intent, Label, Operation, Rows, Rule, TableName
from workbench.areas.security.intent.names import name_problem
from workbench.areas.security.intent.sensitive import Guess
from workbench.catalog.model import Catalog, Table, qualified

_TRAIL = re.compile(r"(^|_)(audit|audits|audit_?log|audit_?trail)(_|$)", re.IGNORECASE)
_FIRST = 1000  # the number of the first rule as a line: what concerns no rule is told for line 1
_MAY_BE: dict[str, str] = {
    "personal": "looks like data about a person",
    "payment": "looks like a means of payment",
    "secret": "looks like a secret that nobody should read; it may be written where a rule names its column",
}


@dataclass
class RuleDraft:
    """A rule about one table, and *why* it was guessed."""

    role: str
    table: TableName
    operations: tuple[Operation, ...]
    rows: Rows = "all"
    where: str | None = None
    columns: tuple[str, ...] | None = None
    why: str = ""


@dataclass
class Draft:
    """An intent in the making; *remarks* are for its head."""

    intent: Intent
    catalog: Catalog
    rules: list[RuleDraft] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def finished(self) -> Intent:
        """The intent without the rules and owners that the checks refuse; each is told in the remarks."""
        while wrong := self._wrong():
            self._leave_out(wrong)
        return self._grouped()

    def _wrong(self) -> dict[int, str]:
        """The problems of rules and owners, by their numbers; those of anything else go to the remarks."""
        first_owner = _FIRST + len(self.rules)
        trial = replace(
            self.intent,
            rules=tuple(_rule(each, number) for number, each in enumerate(self.rules, _FIRST)),
            owners={
                name: replace(each, line=number)
                for number, (name, each) in enumerate(self.intent.owners.items(), first_owner)
            },
        )
        problems = problems_of(trial, self.catalog)
        self.remarks += [f"To correct: {each.text}." for each in problems if each.line < _FIRST]
        return {each.line: each.text for each in problems if each.line >= _FIRST}

    def _leave_out(self, wrong: dict[int, str]) -> None:
        self.remarks += [f"Left out: {text}." for _, text in sorted(wrong.items())]
        first_owner = _FIRST + len(self.rules)
        self.rules = [each for number, each in enumerate(self.rules, _FIRST) if number not in wrong]
        kept = {
            name: each
            for number, (name, each) in enumerate(self.intent.owners.items(), first_owner)
            if number not in wrong
        }
        self.intent = replace(self.intent, owners=kept)

    def _grouped(self) -> Intent:
        groups: dict[tuple[object, ...], list[RuleDraft]] = {}
        for number, each in enumerate(self.rules):
            alone = number if each.columns is not None else None
            key = (each.role, each.operations, each.rows, each.where, each.why, alone)
            groups.setdefault(key, []).append(each)
        rules = []
        notes = dict(self.intent.notes)
        order = [each.name for each in self.intent.roles]
        in_order = sorted(groups.values(), key=lambda group: order.index(group[0].role))
        for number, group in enumerate(in_order):
            first = group[0]
            rules.append(replace(_rule(first, 0), tables=tuple(each.table for each in group), line=None))
            if first.why:
                notes["rule", str(number)] = first.why
        head = [notes.get((), ""), *dict.fromkeys(self.remarks)]
        notes[()] = "\n".join(each for each in head if each)
        return replace(self.intent, rules=tuple(rules), notes=notes)


def _rule(draft: RuleDraft, line: int) -> Rule:
    return Rule(
        draft.role,
        (draft.table,),
        draft.operations,
        draft.rows,
        draft.where,
        draft.columns,
        line,
    )


def labels_of(
    guesses: list[Guess], catalog: Catalog, seen_by: dict[str, tuple[str, ...]]
) -> tuple[tuple[Label, ...], dict[tuple[str, ...], str]]:
    """A label for each kind of guess, and its note; what is in the trail's key is labelled apart."""
    columns: dict[str, list[tuple[str, str, str]]] = {}
    by_comment: dict[str, list[str]] = {}
    for guess in guesses:
        schema, table, column = guess.column
        in_key = column in key_columns(catalog.table(schema, table))
        name = f"{guess.sensitivity}_in_key" if in_key else guess.sensitivity
        columns.setdefault(name, []).append(guess.column)
        if guess.by == "comment":
            by_comment.setdefault(name, []).append(qualified(*guess.column))
    labels: list[Label] = []
    notes: dict[tuple[str, ...], str] = {}
    for name in sorted(columns):
        kind = name.removesuffix("_in_key")
        in_key = name != kind
        labels.append(
            Label(
                name,
                tuple(columns[name]),
                seen_by.get(kind, ()),
                "kept" if in_key else "omitted" if kind == "secret" else "redacted",
            )
        )
        notes["label", name] = (
            f"Guessed from the names of the columns: each {_MAY_BE[kind]}."
            + (f" From their comments: {', '.join(by_comment[name])}." if name in by_comment else "")
            + (" They are in the key by which the trail names the rows, which keeps them." if in_key else "")
            + " Take out what is not, add what is missing."
        )
    return tuple(labels), notes


def audit_of(catalog: Catalog, labels: tuple[Label, ...], schema: str, own: frozenset[str]) -> AuditIntent:
    """Every table audited but trails; by row where no key tells the rows and values are kept out."""
    tables = [each for each in catalog.base_tables if each.schema not in own and not is_trail(each)]
    hidden = {each[:2] for label in labels if label.audited != "kept" for each in label.columns}
    by_row = [each for each in tables if (each.schema, each.name) in hidden and not key_columns(each)]
    return AuditIntent(_names(tables), _names(by_row), (), schema=schema)


def _names(tables: list[Table]) -> tuple[TableName, ...]:
    return tuple(sorted((each.schema, each.name) for each in tables))


def is_trail(table: Table) -> bool:
    """Whether *table* looks like an audit trail itself."""
    return bool(_TRAIL.search(table.name) or _TRAIL.search(table.schema))


def free_name(wanted: str, taken: set[str]) -> str:
    """*wanted*, or the same with the lowest number that makes it new."""
    name, number = wanted, 1
    while name in taken or name_problem(name, "role"):
        number += 1
        name = f"{wanted[:50]}_{number}"
    return name


def writable(table: Table) -> tuple[str, ...]:
    """The columns that somebody can write."""
    return tuple(each.name for each in table.columns if not each.generated and each.identity != "always")
