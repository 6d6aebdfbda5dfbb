"""What belongs to whom: all of the source to the owner role, what runs as the keeper to the keeper."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.design.routines import kept, reference, title
from workbench.areas.security.design.text import render
from workbench.catalog.model import qualified

_DATABASE_OWNER = "pg_database_owner"
_WHY = "Nobody logs in as the owner, so nobody can change the structure or lift row security by accident"


def ownership_parts(draft: Draft) -> Iterator[Part]:
    """Schemas first: whoever gets a table must be able to create in its schema."""
    yield from _schemas(draft)
    yield from _relations(draft)
    yield from _types(draft)
    yield from _routines(draft)


def _movable(draft: Draft, owner: str, title: str) -> bool:
    found = draft.found
    ours = {found.deployer, *(each.name for each in draft.roles)}
    if found.database_owner == found.deployer:
        ours.add(_DATABASE_OWNER)
    if owner in ours or found.superuser:
        return True
    draft.remarks.append(f"{title} belongs to {owner}, and {found.deployer} cannot give it to {draft.owner}")
    return False


def _given(
    draft: Draft, statement: str, within: str | None = None, **what: composed.Composable
) -> tuple[Mutation, ...]:
    return (draft.given_away(lambda owner: render(statement, **what, owner=owner), draft.owner, within),)


def _schemas(draft: Draft) -> Iterator[Part]:
    owners = {each.name: each.owner for each in draft.found.schemas}
    for name in draft.schemas:
        if not _movable(draft, owners[name], f"schema {qualified(name)}"):
            continue
        before = draft.before(owners[name])
        if name == "public" and owners[name] != before:
            before = _DATABASE_OWNER
        yield Part(
            "ownership",
            f"schema {qualified(name)}",
            render("schema_owner", schema=composed.Identifier(name), owner=composed.Identifier(draft.owner)),
            render("schema_owner", schema=composed.Identifier(name), owner=draft.named(before)),
            _WHY,
            role=draft.owner,
            mutations=_given(draft, "schema_owner", schema=composed.Identifier(name)),
        )


def _relations(draft: Draft) -> Iterator[Part]:
    for found in draft.found.relations:
        if found.owned_by_column or found.schema not in draft.schemas:
            continue
        named = qualified(found.schema, found.name)
        if not _movable(draft, found.owner, named):
            continue
        relation = composed.Identifier(found.schema, found.name)
        yield Part(
            "ownership",
            named,
            render("relation_owner", relation=relation, owner=composed.Identifier(draft.owner)),
            render("relation_owner", relation=relation, owner=draft.named(draft.before(found.owner))),
            _WHY,
            role=draft.owner,
            table=None if found.kind == "S" else (found.schema, found.name),
            mutations=_given(draft, "relation_owner", found.schema, relation=relation),
        )


def _types(draft: Draft) -> Iterator[Part]:
    for found in draft.found.types:
        named = f"type {qualified(found.schema, found.name)}"
        if found.schema not in draft.schemas or not _movable(draft, found.owner, named):
            continue
        type_ = composed.Identifier(found.schema, found.name)
        yield Part(
            "ownership",
            named,
            render("type_owner", type=type_, owner=composed.Identifier(draft.owner)),
            render("type_owner", type=type_, owner=draft.named(draft.before(found.owner))),
            _WHY,
            role=draft.owner,
            mutations=_given(draft, "type_owner", found.schema, type=type_),
        )


def _routines(draft: Draft) -> Iterator[Part]:
    keepers = set(kept(draft))
    for found in draft.routines:
        if found in keepers or not _movable(draft, found.owner, title(found)):
            continue
        yield Part(
            "ownership",
            title(found),
            render("routine_owner", routine=reference(found), owner=composed.Identifier(draft.owner)),
            render(
                "routine_owner",
                routine=reference(found),
                owner=draft.named(draft.before(found.owner)),
            ),
            _WHY,
            role=draft.owner,
            mutations=_given(draft, "routine_owner", found.schema, routine=reference(found)),
        )
