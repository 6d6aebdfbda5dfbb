"""Row security: on for owner and all, with a policy for each role and command that the intent allows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import NO_LOGIN, Condition, Draft
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.routines import NOT_USED, keeper_needs
from workbench.areas.security.design.text import NOTHING, PUBLIC, identifiers, name_of, raw, render
from workbench.areas.security.intent.model import OPERATIONS, Operation, RowOwner, TableName
from workbench.catalog.model import Policy, Table, qualified
from workbench.errors import BadInput

_WORD = re.compile(r"\w+")


def identity_function(draft: Draft) -> composed.Identifier:
    """The function that says for whom the session acts."""
    return composed.Identifier(draft.intent.schema, "current_identity")


def own_view(draft: Draft, table: TableName) -> composed.Identifier:
    """The view of the keys of the identity's own rows of *table*."""
    return composed.Identifier(draft.intent.schema, name_of("own", *table))


def parents(draft: Draft) -> tuple[TableName, ...]:
    """The tables that others are owned through, nearest to the identity first."""
    found: list[TableName] = []

    def visit(table: TableName) -> None:
        parent = draft.intent.owners[table].parent
        if parent is not None:
            visit(parent)
            if parent not in found:
                found.append(parent)

    for table in sorted(draft.intent.owners):
        visit(table)
    return tuple(found)


def own_view_parts(draft: Draft) -> Iterator[Part]:
    """A view a parent: it reads as the keeper, so its user needs no privilege on the parent."""
    for table in parents(draft):
        keys = sorted(
            {
                column
                for owner in draft.intent.owners.values()
                if owner.parent == table
                for column in owner.parent_columns
            }
        )
        view = own_view(draft, table)
        made = {
            "view": view,
            "columns": identifiers(keys),
            "table": composed.Identifier(*table),
            "owner": composed.Identifier(draft.keeper),
        }
        apply = render("own_rows", **made, condition=raw(_own(draft, draft.intent.owners[table], new=False)))
        yield Part(
            "view",
            qualified(*view.strings),
            apply,
            render("own_rows_undo", view=view),
            "Which rows of the parent are the identity's, whatever else the role may see of it",
            table=table,
            mutations=(
                draft.mutation("shows all rows", render("own_rows", **made, condition=raw("true")), apply),
            ),
        )


def _own(draft: Draft, owner: RowOwner, *, new: bool) -> str:
    """The condition that a row is the identity's; for a *new* row the parent is looked up by its key."""
    if owner.column is not None:
        return render(
            "own_direct", column=composed.Identifier(owner.column), identity=identity_function(draft)
        )
    if owner.parent is None:
        raise BadInput(
            f"{qualified(*owner.table)} has neither a column nor a parent that says whose a row is"
        )
    view = own_view(draft, owner.parent)
    if new:
        pairs = composed.SQL(" and ").join(
            composed.SQL("o.{} = {}").format(
                composed.Identifier(key), composed.Identifier(*owner.table, column)
            )
            for column, key in zip(owner.columns, owner.parent_columns, strict=True)
        )
        return render("own_new", view=view, pairs=pairs)
    if len(owner.columns) == 1:
        return render(
            "own_through_one",
            column=composed.Identifier(owner.columns[0]),
            key=composed.Identifier(owner.parent_columns[0]),
            view=view,
        )
    return render(
        "own_through_many",
        columns=identifiers(owner.columns),
        keys=identifiers(owner.parent_columns),
        view=view,
    )


def row_security_parts(draft: Draft) -> Iterator[Part]:
    """Row security with its policies, a table after another; on the partitions it is on without a policy."""
    needs, called = keeper_needs(draft), keeper_needs(draft, called=True)
    views = {parent: frozenset[Operation](("select",)) for parent in parents(draft)}
    for table in draft.tables:
        name = (table.schema, table.name)
        if name not in draft.under_row_security:
            continue
        if table.kind == "foreign table":
            draft.remarks.append(
                f"{table.qualified} is a foreign table, which has no row security: it is granted to nobody"
            )
            continue
        policies = list(_policies(draft, table))
        if name in needs or name in views:
            policies.append(_keeper_policy(draft, table, used=name in called or name in views))
        yield from _found_policies(draft, table)
        yield from policies
        for place in (table, *draft.leaves(table)):
            yield from _switched_on(draft, place, leaf_of=None if place is table else table)


def _switched_on(draft: Draft, table: Table, leaf_of: Table | None) -> Iterator[Part]:
    found = draft.found.relations_by_name[table.schema, table.name]
    named = composed.Identifier(table.schema, table.name)

    def switch(action: str) -> str:
        return render("row_security", table=named, action=raw(action))

    where = (table.schema, table.name)
    ours = found.owner == draft.owner
    yield Part(
        "row security",
        table.qualified,
        switch("enable"),
        "" if found.row_security and not ours else switch("disable"),
        "A partition that is named directly is bound by its own row security, not by its parent's"
        if leaf_of
        else "A row is reached by nobody whom no policy names",
        table=where,
        mutations=(draft.mutation("row security disabled", switch("disable"), switch("enable")),),
    )
    yield Part(
        "force row security",
        table.qualified,
        switch("force"),
        "" if found.forced and not ours else switch("no force"),
        "Without FORCE the owner is bound by no policy (manual 5.9)",
        table=where,
        mutations=(draft.mutation("not forced on the owner", switch("no force"), switch("force")),),
    )


def _found_policies(draft: Draft, table: Table) -> Iterator[Part]:
    """Policies that are not the design's: they would add to it, so they go, where that is asked for."""
    ours = {name_of(draft.intent.name, role.name, each) for role in draft.users for each in OPERATIONS}
    ours.add(name_of(draft.intent.name, draft.keeper))
    others = [each for each in table.policies if each.name not in ours]
    if others and not draft.replace:
        names = ", ".join(qualified(each.name) for each in others)
        raise BadInput(
            f"{table.qualified} has policies already ({names}), and what they allow would be added to the "
            "intent: drop them, or ask for their replacement"
        )
    for each in others:
        names_ = {
            "policy": composed.Identifier(each.name),
            "table": composed.Identifier(table.schema, table.name),
        }
        yield Part(
            "policy",
            f"{each.name} on {table.qualified}",
            render("policy_undo", **names_),
            render(
                "found_policy",
                **names_,
                kind=raw("permissive" if each.permissive else "restrictive"),
                command=raw(each.command),
                roles=_policy_roles(each),
                using=_clause(" using", each.using),
                check=_clause(" with check", each.check),
            ),
            "A policy that was there before allows what the intent does not say",
            table=(table.schema, table.name),
            spared="what it would add depends on whoever wrote it",
        )


def _policy_roles(policy: Policy) -> composed.Composed:
    return composed.SQL(", ").join(
        [PUBLIC if each == "public" else composed.Identifier(each) for each in policy.roles]
    )


def _clause(word: str, condition: str | None) -> composed.Composable:
    return composed.SQL(word + " ({})").format(raw(condition)) if condition else NOTHING


def _policies(draft: Draft, table: Table) -> Iterator[Part]:
    name = (table.schema, table.name)
    for role in draft.users:
        for operation in OPERATIONS:
            conditions = draft.conditions(role.name, name, operation)
            if conditions:
                yield _policy(draft, table, role.name, operation, conditions)


def _policy(
    draft: Draft, table: Table, role: str, operation: Operation, conditions: tuple[Condition, ...]
) -> Part:
    name = (table.schema, table.name)
    policy = name_of(draft.intent.name, role, operation)
    using = _any(draft, name, conditions, new=False) if operation != "insert" else None
    check = _any(draft, name, conditions, new=True) if operation in ("insert", "update") else None

    def made(using: str | None, check: str | None, to: composed.Composable) -> str:
        return render(
            "policy",
            policy=composed.Identifier(policy),
            table=composed.Identifier(*name),
            command=raw(operation),
            roles=to,
            using=_clause(" using", using),
            check=_clause(" with check", check),
        )

    apply = made(using, check, composed.Identifier(role))
    drop = render("policy_undo", policy=composed.Identifier(policy), table=composed.Identifier(*name))
    mutations = [draft.mutation("policy dropped", drop, apply)] if draft.logins_of(role) else []
    if using not in (None, "true") and draft.logins_of(role):
        mutations.append(
            draft.mutation(
                "USING true",
                made("true", check, composed.Identifier(role)),
                apply,
            )
        )
    if check not in (None, "true") and _check_decides(draft, table, role, operation, conditions):
        mutations.append(
            draft.mutation("WITH CHECK true", made(using, "true", composed.Identifier(role)), apply)
        )
    if _public_would_widen(draft, name, role, operation, conditions):
        mutations.append(draft.mutation("policy to PUBLIC", made(using, check, PUBLIC), apply))
    return Part(
        "policy",
        f"{policy} on {table.qualified}",
        apply,
        drop,
        "The rows that the intent allows, found with one look at the identity a statement",
        role=role,
        table=name,
        mutations=tuple(mutations),
        spared="" if mutations else NO_LOGIN,
    )


def _any(draft: Draft, table: TableName, conditions: tuple[Condition, ...], *, new: bool) -> str:
    found = []
    for rows, where in conditions:
        parts = []
        if rows == "own":
            if table not in draft.intent.owners:
                raise BadInput(
                    f"a rule is about own rows of {qualified(*table)}, which no owner is declared for"
                )
            parts.append(_own(draft, draft.intent.owners[table], new=new))
        if where is not None:
            parts.append(f"({where})")
        found.append(" and ".join(parts) or "true")
    return found[0] if len(found) == 1 else " or ".join(f"({each})" for each in found)


def _check_decides(
    draft: Draft, table: Table, role: str, operation: Operation, conditions: tuple[Condition, ...]
) -> bool:
    """Whether the role may write a column that the check looks at; else the check has nothing to refuse."""
    may = draft.permission(role, (table.schema, table.name), operation)
    if may is None or not draft.logins_of(role):
        return False
    owner = draft.intent.owners.get((table.schema, table.name))
    looked_at: set[str] = set()
    for rows, where in conditions:
        if rows == "own" and owner is not None:
            looked_at.update((owner.column,) if owner.column else owner.columns)
        if where is not None:
            words = set(_WORD.findall(where))
            looked_at.update(each.name for each in table.columns if each.name in words)
    return bool(looked_at & set(may.columns))


def _public_would_widen(
    draft: Draft, table: TableName, role: str, operation: Operation, conditions: tuple[Condition, ...]
) -> bool:
    """Whether another login has the privilege on fewer rows than the policy lets through."""
    mine = set(conditions)
    for other in draft.users:
        if other.kind != "login" or role in (other.name, *draft.inherited[other.name]):
            continue
        theirs = set(draft.all_conditions(other.name, table, operation))
        if theirs and ("all", None) not in theirs and ("all", None) in mine:
            return True
    return False


def _keeper_policy(draft: Draft, table: Table, *, used: bool) -> Part:
    """Without it a trigger function is refused, or finds no row and says so to nobody."""
    policy = name_of(draft.intent.name, draft.keeper)
    named = {"policy": composed.Identifier(policy), "table": composed.Identifier(table.schema, table.name)}
    apply = render(
        "policy",
        **named,
        command=raw("all"),
        roles=composed.Identifier(draft.keeper),
        using=_clause(" using", "true"),
        check=_clause(" with check", "true"),
    )
    drop = render("policy_undo", **named)
    return Part(
        "policy",
        f"{policy} on {table.qualified}",
        apply,
        drop,
        "Trigger functions and the search for own rows run as the keeper, within their own text",
        role=draft.keeper,
        table=(table.schema, table.name),
        mutations=(draft.mutation("policy dropped", drop, apply),) if used else (),
        spared="" if used else NOT_USED,
    )
