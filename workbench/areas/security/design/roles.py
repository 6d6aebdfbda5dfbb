"""The roles of a design: made, marked, joined to one another; and the deployer's part in them."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.design.statements import on_database
from workbench.areas.security.design.text import raw, render
from workbench.areas.security.intent.model import RoleIntent
from workbench.errors import BadInput

_PG16 = 160_000


def require_right_to_make(draft: Draft) -> None:
    """BadInput where the deployer may make no roles, or a role of the design is somebody else's."""
    found = draft.found
    if not (found.create_role or found.superuser):
        raise BadInput(
            f"{found.deployer} may not create roles: let an administrator run "
            f'alter role "{found.deployer}" createrole'
        )
    for role in draft.roles:
        there = role.name in found.roles
        ours = draft.mark in found.roles.get(role.name, "")
        if role.existing and not there:
            raise BadInput(f"role {role.name} is said to exist and does not: leave existing: true away")
        if there and not ours and not role.existing:
            raise BadInput(
                f"role {role.name} is in the cluster already and was not made for intent "
                f"{draft.intent.name}: say existing: true to use it as it is, or take another name"
            )


def role_parts(draft: Draft) -> Iterator[Part]:
    """A part a role that is to be made."""
    for role in draft.roles:
        if role.existing:
            continue
        login = role.kind == "login"
        limit = -1 if role.connection_limit is None else role.connection_limit
        named = {"role": composed.Identifier(role.name), "name": composed.Literal(role.name)}
        yield Part(
            "role",
            role.name,
            render(
                "role",
                **named,
                login=raw("login" if login else "nologin"),
                connections=composed.Literal(limit),
                comment=composed.Literal(f"{role.description} {draft.mark}".strip()),
                mark=composed.Literal(draft.mark),
            ),
            render("role_undo", **named, mark=composed.Literal(draft.mark)),
            "No superuser, makes neither databases nor roles, is bound by row security"
            + ("" if login else "; nobody logs in as it"),
            role=role.name,
            mutations=tuple(_attributes(role)),
        )


def _attributes(role: RoleIntent) -> Iterator[Mutation]:
    """Attributes that it is not to have. A group hands none of its own on, so it may log in alone."""
    wanted = [("may log in", "login")] if role.kind != "login" else [("may create roles", "createrole")]
    if role.kind in ("login", "owner"):
        wanted.append(("bypasses row security", "bypassrls"))
    for name, attribute in wanted:
        named = {"role": composed.Identifier(role.name)}
        given = render("role_attribute", **named, attribute=raw(attribute))
        taken = render("role_attribute", **named, attribute=raw(f"no{attribute}"))
        if attribute == "login":  # which is of no use without
            given += "\n" + on_database("grant connect on database %I to %I", role.name)
            taken += "\n" + on_database("revoke connect on database %I from %I", role.name)
        yield Mutation(name, given, taken, by="superuser")


def membership_parts(draft: Draft) -> Iterator[Part]:
    """Which roles have the privileges of which others, without being able to become them."""
    options = raw(" with inherit true, set false" if draft.found.server_version >= _PG16 else "")
    for role in draft.intent.roles:
        for above in role.inherits:
            names = {"role": composed.Identifier(above), "member": composed.Identifier(role.name)}
            join = render("membership", **names, options=options)
            leave = render("membership_undo", **names)
            # a role that is dropped takes its memberships along; another database may still need it
            lasting = role.existing and draft.intent_role(above).existing
            if lasting and _was_member(draft, above, role.name):
                continue  # both are used as they are, and the deployer may have no say in them
            yield Part(
                "membership",
                f"{role.name} in {above}",
                join,
                leave if lasting else "",
                "Inherits the rules of the intent",
                role=role.name,
                mutations=(Mutation("membership dropped", leave, join), *_widened(draft, role)),
            )
    for role in draft.intent.roles:
        if role.kind == "login" and not role.inherits:
            mutations = _widened(draft, role)
            if mutations:
                yield Part(
                    "membership", role.name, "", "", "In no group", role=role.name, mutations=mutations
                )


def _was_member(draft: Draft, role: str, member: str) -> bool:
    return any(each.role == role and each.member == member for each in draft.found.memberships)


def _widened(draft: Draft, role: RoleIntent) -> tuple[Mutation, ...]:
    """The role joins a group that it is not to have."""
    if role.kind != "login":
        return ()
    options = raw(" with inherit true, set false" if draft.found.server_version >= _PG16 else "")
    groups = [
        each.name
        for each in draft.users
        if each.kind == "group" and each.name not in draft.inherited[role.name] and not each.existing
    ]
    return tuple(
        Mutation(
            f"{role.name} joins {group}",
            render(
                "membership",
                role=composed.Identifier(group),
                member=composed.Identifier(role.name),
                options=options,
            ),
            render("membership_undo", role=composed.Identifier(group), member=composed.Identifier(role.name)),
        )
        for group in groups[-1:]
    )


def deployer_joins(draft: Draft) -> Part:
    """The deployer becomes a member of the owning roles while the design is applied or undone."""
    return Part(
        "membership",
        "deployer joins the owners",
        draft.join,
        draft.leave,
        "Who gives objects to a role, or changes them afterwards, must be able to become it",
        role=draft.owner,
        spared="it lasts as long as the script runs",
    )


def deployer_leaves(draft: Draft) -> Part:
    """And leaves them again."""
    return Part(
        "membership",
        "deployer leaves the owners",
        draft.leave,
        draft.join,
        "Who deploys reads and writes no rows",
        role=draft.owner,
        mutations=(Mutation("deployer stays an owner", draft.join, draft.leave, by="deployer"),)
        if draft.joined
        else (),
        spared="" if draft.joined else "the deployer is an owner by itself",
    )
