"""An intent from a database as it is: from its grants and policies, or a proposal from its structure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from workbench.areas.security.access.model import (
    PUBLIC,
    AccessFacts,
    PolicyFact,
    PrivilegeFact,
    RoleFact,
)
from workbench.areas.security.intent.checks import comparable
from workbench.areas.security.intent.drafting import (
    Draft,
    RuleDraft,
    audit_of,
    free_name,
    labels_of,
    writable,
)
from workbench.areas.security.intent.model import (
    OPERATIONS,
    Identity,
    Intent,
    Operation,
    RoleIntent,
    RoleKind,
    RowOwner,
    TableName,
)
from workbench.areas.security.intent.names import name_problem
from workbench.areas.security.intent.persons import Ownership, guess_ownership, identity_of, owners_of
from workbench.areas.security.intent.policies import Reach, read_expression
from workbench.areas.security.intent.proposing import own_schemas, proposed_intent
from workbench.areas.security.intent.sensitive import Guess, sensitive_columns
from workbench.catalog.model import Catalog, Table, qualified, quoted

_READS_ALL = ("pg_read_all_data", ("select",))
_WRITES_ALL = ("pg_write_all_data", ("insert", "update", "delete"))
_SCRATCH = re.compile(r"wb_")  # a database of the workbench itself
LOADERS = re.compile(r"wb_script_")  # roles that are made for the run of a script alone


def derive_intent(catalog: Catalog, facts: AccessFacts) -> Intent:
    """What the database's grants and policies say, to be corrected; the notes say what was guessed.

    Where nobody but the owners has a right on a table, it is a proposal from the structure alone. What
    an intent cannot say (TRUNCATE, views, policies that are not simple) is left out and told at its head.
    """
    name = intent_name(catalog, facts)
    taken = {each.name for each in facts.roles}
    found = _Found(catalog, facts)
    if not found.grantees:
        return proposed_intent(catalog, name, taken)
    return found.intent(name, taken)


def intent_name(catalog: Catalog, facts: AccessFacts) -> str:
    """The schema with most of the tables, or the database, as a plain name; else ``db``."""
    counted = Counter(each.schema for each in catalog.base_tables)
    likely = [name for name, tables in counted.items() if tables * 2 > len(catalog.base_tables)]
    for wanted in (*(each for each in likely if each != "public"), facts.database):
        plain = re.sub(r"[^a-z0-9_]+", "_", wanted.lower()).strip("_")[:30]
        if (
            plain
            and not plain[0].isdigit()
            and not _SCRATCH.match(wanted)
            and not name_problem(plain, "role")
        ):
            return plain
    return "db"


@dataclass
class _Found:
    """What the facts say, by role and table; *told* is what could not be taken over:
    what stands before and behind the names of the tables."""

    catalog: Catalog
    facts: AccessFacts
    told: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {
            (each.schema, each.name): each
            for each in sorted(self.catalog.base_tables, key=lambda each: (each.schema, each.name))
        }
        self.owners = {each.owner for each in self.facts.relations}
        self.members: dict[str, list[str]] = {}
        for each in self.facts.memberships:
            self.members.setdefault(each.role, []).append(each.member)
        self.privileges: dict[tuple[str, TableName], list[PrivilegeFact]] = {}
        for fact in self.facts.granted:
            if fact.kind in ("table", "column"):
                self._note_privilege(fact)
        self.grantees = self._grantees()

    def _note_privilege(self, fact: PrivilegeFact) -> None:
        name, what = (fact.schema, fact.name), qualified(fact.schema, fact.name)
        if fact.grantee == PUBLIC:
            self._tell(f"PUBLIC, which is everybody, may {fact.privilege}", what, ": say who needs it")
        elif name not in self.tables:
            after = ", no table of its own (a view, a partition, a foreign table): say what it needs"
            self._tell(f"{quoted(fact.grantee)} may {fact.privilege}", what, after)
        elif fact.privilege not in OPERATIONS:
            after = ", which no intent allows: left out"
            self._tell(f"{quoted(fact.grantee)} may {fact.privilege}", what, after)
        else:
            self.privileges.setdefault((fact.grantee, name), []).append(fact)

    def _tell(self, before: str, name: str, after: str) -> None:
        names = self.told.setdefault((before, after), [])
        if name not in names:
            names.append(name)

    def _grantees(self) -> list[str]:
        """The roles with rights on tables and who is a member of them, without owners and superusers."""
        names = {grantee for grantee, _ in self.privileges}
        names |= {
            each.member for each in self.facts.memberships if each.role in (_READS_ALL[0], _WRITES_ALL[0])
        }
        waiting = list(names)
        for each in waiting:  # grows while it is read
            new = [member for member in self.members.get(each, []) if member not in names]
            names.update(new)
            waiting.extend(new)
        return [each.name for each in self.facts.roles if each.name in names and self._is_user(each)]

    def _is_user(self, role: RoleFact) -> bool:
        if role.predefined or name_problem(role.name, "role"):
            return False
        if role.superuser or role.name in self.owners:
            why = "is a superuser" if role.superuser else "owns tables"
            self._tell(quoted(role.name), why, ", and no rule binds it: it has none here")
            return False
        return True

    def intent(self, name: str, taken: set[str]) -> Intent:
        made = own_schemas(self.catalog)
        ownership, reaches = self._ownership()
        guesses = sensitive_columns(self.catalog)
        labels, notes = labels_of(guesses, self.catalog, self._seen_by(guesses))
        owner, audit = (free_name(f"{name}_{part}", taken) for part in ("owner", "audit"))
        auditor = free_name(f"{name}_auditor", taken)
        roles = [
            RoleIntent(owner, "owner", "Owns the tables; nobody logs in as it."),
            RoleIntent(audit, "audit owner", "Owns the audit trail; nobody logs in as it."),
            *(self._role(self.facts.roles_by_name[each]) for each in self.grantees),
            RoleIntent(auditor, "login", "Reads the audit trail and nothing else."),
        ]
        head = (
            "Derived from the grants and policies of the database.\n"
            "What no rule allows is refused. Correct it, then prove it."
        )
        intent = Intent(
            name=name,
            roles=tuple(roles),
            rules=(),
            owners=ownership.owners,
            labels=labels,
            audit=replace(audit_of(self.catalog, labels, made[1], frozenset(made)), readers=(auditor,)),
            identity=ownership.identity,
            schema=made[0],
            notes={(): head, **notes, **self._notes(ownership, owner)},
        )
        draft = Draft(intent, self.catalog)
        for role in self.grantees:
            draft.rules += self._rules(role, reaches, intent)
        draft.intent = _with_identified(intent, draft.rules)
        draft.remarks += [_sentence(*parts, names) for parts, names in self.told.items()]
        return draft.finished()

    def _role(self, role: RoleFact) -> RoleIntent:
        inherits = tuple(
            dict.fromkeys(
                each.role
                for each in self.facts.memberships
                if each.member == role.name and each.inherits and each.role in self.grantees
            )
        )
        limit = role.connection_limit if role.login and role.connection_limit >= 0 else None
        kind: RoleKind = "login" if role.login else "group"
        return RoleIntent(role.name, kind, role.comment, inherits, existing=True, connection_limit=limit)

    def _ownership(self) -> tuple[Ownership, dict[tuple[str, str, str, str], Reach | None]]:
        """Whose rows, by policies and by foreign keys; and what each policy says."""
        reaches: dict[tuple[str, str, str, str], Reach | None] = {}
        votes: Counter[tuple[TableName, str]] = Counter()
        said: dict[TableName, tuple[RowOwner, str]] = {}
        for policy in self.facts.policies:
            table = self.tables.get((policy.schema, policy.table_name))
            for part, text in (("using", policy.using), ("check", policy.check)):
                if table is None or text is None:
                    continue
                reach = read_expression(text, table, self.catalog)
                reaches[policy.schema, policy.table_name, policy.name, part] = reach
                if reach is not None and reach.owner is not None and reach.owner.table not in said:
                    said[reach.owner.table] = (reach.owner, policy.name)
                    if reach.owner.column is not None:
                        votes.update(_account(table, reach.owner.column))
        if not votes:
            return (Ownership(None, {}, {}) if said else guess_ownership(self.catalog)), reaches
        (account, column), _ = max(votes.items(), key=lambda each: (each[1], each[0]))
        identity = identity_of(self.catalog.table(*account), column)
        if identity is None:
            return Ownership(None, {}, {}), reaches
        guessed = owners_of(self.catalog, identity)
        owners, reasons = dict(guessed.owners), dict(guessed.reasons)
        for name, (owner, policy_name) in said.items():
            if not _fits(self.tables[name], owner, identity, self.catalog):
                continue
            owners[name] = owner
            reasons[name] = f"policy {quoted(policy_name)}"
        return Ownership(identity, owners, reasons), reaches

    def _seen_by(self, guesses: list[Guess]) -> dict[str, tuple[str, ...]]:
        """For each kind of guess the roles that may select one of its columns today."""
        found: dict[str, tuple[str, ...]] = {}
        for kind in ("personal", "payment", "secret"):
            columns = {each.column for each in guesses if each.sensitivity == kind}
            found[kind] = tuple(
                role
                for role in self.grantees
                if any(column in (self._columns(role, (s, t), "select") or ()) for s, t, column in columns)
            )
        return found

    def _columns(self, role: str, name: TableName, operation: Operation) -> tuple[str, ...] | None:
        """The columns that *role* was granted itself, in their order; None where it was not granted any."""
        held = [each for each in self.privileges.get((role, name), []) if each.privilege == operation]
        names = [column.name for column in self.tables[name].columns]
        memberships = {each.role for each in self.facts.memberships if each.member == role and each.inherits}
        by_group = any(
            group in memberships and operation in operations
            for group, operations in (_READS_ALL, _WRITES_ALL)
        )
        if by_group or any(each.kind == "table" for each in held):
            return tuple(names)
        parts = {each.part for each in held}
        return tuple(each for each in names if each in parts) or None

    def _rules(
        self, role: str, reaches: dict[tuple[str, str, str, str], Reach | None], intent: Intent
    ) -> list[RuleDraft]:
        found: dict[tuple[object, ...], RuleDraft] = {}
        for name, table in self.tables.items():
            for operation in OPERATIONS:
                columns = self._columns(role, name, operation)
                if columns is None:
                    continue
                reach, why = self._reach(role, table, operation, reaches, intent)
                if reach is None:
                    self._tell(f"{quoted(role)} may {operation}", table.qualified, f" by grant, {why}")
                    continue
                listed = _listed(intent, role, table, operation, columns)
                key = (name, reach.rows, reach.where, listed if operation != "delete" else None)
                if key in found:
                    found[key].operations += (operation,)
                else:
                    where = None if reach.rows == "own" else reach.where
                    found[key] = RuleDraft(role, name, (operation,), reach.rows, where, listed, why)
        return list(found.values())

    def _reach(
        self,
        role: str,
        table: Table,
        operation: Operation,
        reaches: dict[tuple[str, str, str, str], Reach | None],
        intent: Intent,
    ) -> tuple[Reach | None, str]:
        """The rows that row security leaves to *role*, and the policies that say so."""
        name = (table.schema, table.name)
        fact = self.facts.relations_by_name.get(name)
        if fact is None or not fact.row_security or self.facts.roles_by_name[role].bypass_row_security:
            return Reach("all"), "From its grants."
        policies = [each for each in self._policies(role, name) if each.command in ("all", operation)]
        names = ", ".join(quoted(each.name) for each in policies)
        if not any(each.permissive for each in policies):
            return None, "and no policy lets it reach a row: it has no rule"
        if not all(each.permissive for each in policies):
            return None, f"and restrictive policies stand beside others ({names}): write the rule by hand"
        said = [
            reaches.get((*name, each.name, part)) for each in policies for part in _parts(each, operation)
        ]
        if any(each is None for each in said):
            return None, f"and a policy is not simple ({names}): write the rule by hand"
        distinct = {_as_rule(each, intent) for each in said if each is not None}
        if Reach("all") in distinct and all(len(_parts(each, operation)) == 1 for each in policies):
            return Reach("all"), f"From its grants and policy {names}."
        if len(distinct) != 1 or None in distinct:
            return None, f"and its policies do not say one thing ({names}): write the rule by hand"
        return distinct.pop(), f"From its grants and policy {names}."

    def _policies(self, role: str, name: TableName) -> list[PolicyFact]:
        groups = [role]
        for each in groups:  # grows while it is read
            groups.extend(
                fact.role
                for fact in self.facts.memberships
                if fact.member == each and fact.role not in groups
            )
        return [
            each
            for each in self.facts.policies
            if (each.schema, each.table_name) == name and {PUBLIC, *groups} & set(each.roles)
        ]

    def _notes(self, ownership: Ownership, owner: str) -> dict[tuple[str, ...], str]:
        found: dict[tuple[str, ...], str] = {}
        # a script's tables are those of a role that is made for its run alone
        owners = sorted({each.owner for each in self.facts.relations if not LOADERS.match(each.owner)})
        if owners:
            found["role", owner] = f"Guessed: the tables belong to {', '.join(map(quoted, owners))} today."
        for role in self.grantees:
            fact = self.facts.roles_by_name[role]
            notes = ["In the cluster already, so it is used as it is."]
            if fact.bypass_row_security:
                notes.append("It bypasses row security, which no rule binds: take BYPASSRLS from it.")
            if fact.create_role:
                notes.append("It may make roles: take CREATEROLE from it where it need not.")
            found["role", role] = " ".join(notes)
        if ownership.identity is not None:
            table = qualified(*ownership.identity.table)
            found["identity",] = f"Guessed: the policies, or the names of the tables, point to {table}."
        else:
            found[()] = ""
        for name, why in ownership.reasons.items():
            found["owner", *name] = f"Guessed: {why}."
        return {key: text for key, text in found.items() if text}


def _sentence(before: str, after: str, names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{before} {', '.join(names[:5])}{more}{after}."


def _account(table: Table, column: str) -> list[tuple[TableName, str]]:
    """What *column* refers to, or itself where it is the key of its table."""
    for key in table.foreign_keys:
        if key.columns == (column,) and key.references is not None:
            return [(key.references, key.referenced_columns[0])]
    primary = table.primary_key
    return [((table.schema, table.name), column)] if primary and primary.columns == (column,) else []


def _fits(table: Table, owner: RowOwner, identity: Identity, catalog: Catalog) -> bool:
    """Whether what the policy compares is this identity: by a foreign key, or by its name and type."""
    if owner.column is None:
        return True
    accounts = _account(table, owner.column)
    known = catalog.table(*identity.table).column(identity.column)
    if accounts:
        return accounts == [(identity.table, identity.column)]
    return owner.column == identity.column and comparable(table.column(owner.column), known)


def _parts(policy: PolicyFact, operation: Operation) -> tuple[str, ...]:
    """Which expressions of *policy* decide; a check that is not written is the same as using."""
    if operation == "insert":
        return ("check",) if policy.check is not None else ("using",)
    if operation == "update" and policy.check is not None:
        return ("using", "check")
    return ("using",)


def _as_rule(reach: Reach, intent: Intent) -> Reach | None:
    """Own rows where the intent knows their owner alike, else the same as a condition; None for neither."""
    if reach.owner is not None and reach.owner == intent.owners.get(reach.owner.table):
        return Reach("own")
    if reach.owner is not None and reach.where is None:
        return None
    return Reach("all", reach.where)


def _listed(
    intent: Intent, role: str, table: Table, operation: Operation, columns: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The columns to be named in a rule; None where the labels say the same."""
    if operation == "delete":
        return None
    every = tuple(each.name for each in table.columns) if operation == "select" else writable(table)
    granted = tuple(each for each in columns if each in every)
    hidden = {
        column
        for column, label in intent.labels_by_table.get((table.schema, table.name), ())
        if role not in label.seen_by
    }
    reached = tuple(each for each in every if each not in hidden)
    return None if granted == reached else granted


def _with_identified(intent: Intent, rules: list[RuleDraft]) -> Intent:
    """The roles that have rules about own rows, or inherit them, act for an identity."""
    own = {each.role for each in rules if each.rows == "own"}
    roles = tuple(
        replace(each, identified="token") if own & set(intent.lineages[each.name]) else each
        for each in intent.roles
    )
    return replace(intent, roles=roles)
