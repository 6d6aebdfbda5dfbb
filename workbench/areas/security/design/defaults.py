"""Default privileges: what is created later is nobody's until the intent says so."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import FoundDefault
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.revokes import takers
from workbench.areas.security.design.text import NOTHING, raw, render, roles


def default_privilege_parts(draft: Draft) -> Iterator[Part]:
    """For each creator: new functions and types are nobody's, nor is what was given to roles."""
    for creator in dict.fromkeys((draft.found.deployer, *draft.owners)):
        for objects, privilege in (("routines", "execute"), ("types", "usage")):
            yield _from_public(draft, creator, objects, privilege)
    yield from _found(draft)


def _from_public(draft: Draft, creator: str, objects: str, privilege: str) -> Part:
    where = {
        "creator": draft.named(creator),
        "place": NOTHING,
        "privileges": raw(privilege),
        "objects": raw(objects),
        "grantee": raw("public"),
    }
    revoked = render("default_revoke", **where)
    granted = render("default_grant", **where, option=NOTHING)
    entries = [
        each
        for each in draft.found.default_privileges
        if (each.creator, each.schema, each.objects) == (creator, "", objects)
    ]
    already = bool(entries) and not any(each.grantee == "" for each in entries)
    made = any(each.name == creator and not each.existing for each in draft.roles)
    return Part(
        "default privilege",
        f"new {objects} of {creator}",
        revoked,
        "" if already and not made else granted,
        "PUBLIC may use what is new, and IN SCHEMA cannot take that away (ALTER DEFAULT PRIVILEGES)",
        role=creator,
        mutations=(draft.mutation(f"{privilege} on new {objects} to PUBLIC", granted, revoked),),
    )


def _found(draft: Draft) -> Iterator[Part]:
    """Default privileges that the deployer or an owner gave to PUBLIC or to a role of the intent."""
    ours = {draft.found.deployer, *draft.owners}
    for each in draft.found.default_privileges:
        if each.creator not in ours or each.grantee is None or each.grantee not in takers(draft):
            continue
        if each.schema == "" and each.grantee == "" and each.objects in ("routines", "types"):
            continue
        yield _one(draft, each)


def _one(draft: Draft, found: FoundDefault) -> Part:
    where = {
        "creator": draft.named(found.creator),
        "place": composed.SQL(" in schema {}").format(composed.Identifier(found.schema))
        if found.schema
        else NOTHING,
        "privileges": raw(found.privilege or ""),
        "objects": raw(found.objects),
        "grantee": roles((found.grantee or "",)),
    }
    revoked = render("default_revoke", **where)
    option = raw(" with grant option") if found.grantable else NOTHING
    granted = render("default_grant", **where, option=option)
    return Part(
        "default privilege",
        f"{found.privilege} on new {found.objects} of {found.creator} to {found.grantee or 'PUBLIC'}",
        revoked,
        granted,
        "What is new is nobody's until the intent says so",
        role=found.creator,
        mutations=(draft.mutation("given again", granted, revoked),),
    )
