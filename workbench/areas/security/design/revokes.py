"""What PUBLIC and the intent's roles have beyond the intent is taken away, and given back by the undo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import FoundPrivilege
from workbench.areas.security.design.model import Mutation, Part
from workbench.areas.security.design.routines import reference
from workbench.areas.security.design.statements import grant, on_database, revoke
from workbench.areas.security.design.text import NOTHING, raw, render, roles
from workbench.catalog.model import qualified

_OPTION = raw(" with grant option")


def takers(draft: Draft) -> tuple[str, ...]:
    """PUBLIC and the roles of the intent: what they have beyond the intent is taken away."""
    return ("", *(each.name for each in draft.users))


def revoke_parts(draft: Draft) -> Iterator[Part]:
    """PUBLIC and the intent's roles lose what they have; what the intent gives comes after."""
    yield from _database(draft)
    yield from _schemas(draft)
    yield from _relations(draft)
    yield from _routines(draft)
    yield from _types(draft)
    yield from _large_objects(draft)


def _found(draft: Draft, kinds: Sequence[str]) -> list[FoundPrivilege]:
    """What the takers held before; what a role of the design's own holds came from the design."""
    made = {each.name for each in draft.roles if not each.existing}
    takers_ = set(takers(draft))
    schemas = set(draft.schemas)
    found = []
    for each in draft.found.privileges:
        place = each.name if each.kind == "schema" else each.schema
        if each.kind not in kinds or each.grantee not in takers_ or each.grantee in made:
            continue
        if each.kind != "database" and place not in schemas:
            continue
        found.append(each)
    return found


def _restored(found: Iterable[FoundPrivilege]) -> str:
    """The grants that give *found* back."""
    grouped: dict[tuple[str, str, bool, str, str], list[FoundPrivilege]] = defaultdict(list)
    for each in found:
        column = each.part if each.kind == "column" else ""
        grouped[each.kind, each.grantee, each.grantable, each.privilege, column].append(each)
    return "\n".join(
        render(
            "grant",
            privileges=raw(privilege)
            if kind != "column"
            else composed.SQL("{} ({})").format(raw(privilege), composed.Identifier(column)),
            kind=raw("table" if kind == "column" else kind),
            objects=composed.SQL(", ").join([_object(each) for each in members]),
            grantees=roles((grantee,)),
            option=_OPTION if grantable else NOTHING,
        )
        for (kind, grantee, grantable, privilege, column), members in sorted(grouped.items())
    )


def _object(found: FoundPrivilege) -> composed.Composable:
    if found.kind == "schema":
        return composed.Identifier(found.name)
    named = composed.Identifier(found.schema, found.name)
    return composed.SQL("{}({})").format(named, raw(found.part)) if found.kind == "routine" else named


def _database(draft: Draft) -> Iterator[Part]:
    def closing(privilege: str) -> str:
        return on_database(f"revoke {privilege} on database %I from public")

    def opening(privilege: str) -> str:
        return on_database(f"grant {privilege} on database %I to public")

    made = {each.name for each in draft.roles if not each.existing}
    held = {each.privilege for each in draft.found.privileges if each.kind == "database" and not each.grantee}
    for privilege, why in (
        ("connect", "A login of another database has no business here"),
        ("temporary", "Temporary tables shadow names and fill the disk"),
    ):
        yield Part(
            "revoke",
            f"{privilege} on the database from PUBLIC",
            closing(privilege),
            opening(privilege) if privilege in held else "",
            f"{why} (PUBLIC has it from the start; manual 5.8)",
            mutations=(Mutation(f"{privilege} to PUBLIC", opening(privilege), closing(privilege)),),
        )
    for each in draft.found.privileges:
        if each.kind == "database" and each.grantee in set(takers(draft)) - {""} - made:
            yield Part(
                "revoke",
                f"{each.privilege} on the database from {each.grantee}",
                on_database(f"revoke {each.privilege} on database %I from %I", each.grantee),
                on_database(f"grant {each.privilege} on database %I to %I", each.grantee),
                "More than the intent says",
                role=each.grantee,
            )


def _schemas(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("schema",))
    for name in draft.schemas:
        mine = [each for each in found if each.name == name]
        object_ = composed.Identifier(name)
        closed = revoke("all", "schema", object_, takers(draft))
        create = grant("create, usage", "schema", object_, ("",))
        shut = revoke("all", "schema", object_, ("",))
        yield Part(
            "revoke",
            f"schema {qualified(name)}",
            closed,
            _restored(mine),
            "Who may create in a schema can shadow what others call (CVE-2018-1058)",
            mutations=(draft.mutation("create and usage to PUBLIC", create, shut),),
        )


def _relations(draft: Draft) -> Iterator[Part]:
    for kind, kinds in (("table", ("table", "column")), ("sequence", ("sequence",))):
        for schema in draft.schemas:
            objects = [
                composed.Identifier(each.schema, each.name)
                for each in draft.found.relations
                if each.schema == schema and (each.kind == "S") == (kind == "sequence")
            ]
            if objects:
                yield Part(
                    "revoke",
                    f"{kind}s of {qualified(schema)}",
                    revoke("all", kind, composed.SQL(", ").join(objects), takers(draft)),
                    _restored(each for each in _found(draft, kinds) if each.schema == schema),
                    "What the intent does not say is refused",
                    mutations=(_open(draft, schema, "select", kind, composed.SQL(", ").join(objects)),),
                )


def _routines(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("routine",))
    for schema in draft.schemas:
        routines = [each for each in draft.routines if each.schema == schema]
        if not routines:
            continue
        objects = composed.SQL(", ").join([reference(each) for each in routines])
        closed = revoke("all", "routine", objects, takers(draft))
        names = {(each.name, each.arguments) for each in routines}
        callable_ = [reference(each) for each in routines if not each.trigger]
        some = composed.SQL(", ").join(callable_) if callable_ else None
        yield Part(
            "revoke",
            f"routines of {qualified(schema)}",
            closed,
            _restored(each for each in found if each.schema == schema and (each.name, each.part) in names),
            "PUBLIC may execute every new function (manual 5.8)",
            mutations=(_open(draft, schema, "execute", "routine", some),) if some is not None else (),
            spared="" if some is not None else "trigger functions can be called by nobody",
        )


def _types(draft: Draft) -> Iterator[Part]:
    found = _found(draft, ("type",))
    for schema in draft.schemas:
        types = [each for each in draft.found.types if each.schema == schema]
        if types:
            yield Part(
                "revoke",
                f"types of {qualified(schema)}",
                revoke(
                    "all",
                    "type",
                    composed.SQL(", ").join([composed.Identifier(each.schema, each.name) for each in types]),
                    takers(draft),
                ),
                _restored(each for each in found if each.schema == schema),
                "Who builds on a type keeps its owner from changing it",
                mutations=(
                    _open(
                        draft,
                        schema,
                        "usage",
                        "type",
                        composed.SQL(", ").join(
                            [composed.Identifier(each.schema, each.name) for each in types]
                        ),
                    ),
                ),
            )


def _open(draft: Draft, schema: str, privilege: str, kind: str, objects: composed.Composable) -> Mutation:
    """The privilege to PUBLIC, and that of the schema, without which nothing in it can be named."""
    place = composed.Identifier(schema)
    return draft.mutation(
        f"{privilege} to PUBLIC",
        grant(privilege, kind, objects, ("",)) + "\n" + grant("usage", "schema", place, ("",)),
        revoke(privilege, kind, objects, ("",)) + "\n" + revoke("usage", "schema", place, ("",)),
    )


def _large_objects(draft: Draft) -> Iterator[Part]:
    if not draft.found.large_objects_open:
        return
    closed = render("large_objects", action=raw("revoke"), direction=raw("from"))
    opened = render("large_objects", action=raw("grant"), direction=raw("to"))
    if not draft.found.superuser:
        command = " ".join(closed.split())
        draft.remarks.append(
            f"everybody may create large objects, and {draft.found.deployer} cannot change that: let a "
            f"superuser run {command}"
        )
        return
    yield Part(
        "revoke",
        "large objects from PUBLIC",
        closed,
        opened,
        "Everybody may create large objects, which no row security and no schema binds",
        mutations=(Mutation("large objects to PUBLIC", opened, closed),),
    )
