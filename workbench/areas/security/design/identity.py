"""The design's own schema, and the function that proves for whom a session acts."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.row_security import identity_function
from workbench.areas.security.design.statements import grant, revoke
from workbench.areas.security.design.text import raw, render, template
from workbench.catalog.model import qualified

_PG16 = 160_000
_VALID = "pg_catalog.pg_input_is_valid(proved.identity, {})"


def schema_part(draft: Draft) -> Part:
    """The schema of the design's functions, the keeper's."""
    schema = composed.Identifier(draft.intent.schema)
    return Part(
        "schema",
        qualified(draft.intent.schema),
        render(
            "schema",
            schema=schema,
            name=composed.Literal(draft.intent.schema),
            owner=composed.Identifier(draft.keeper),
            comment=composed.Literal(f"Functions of the access rules {draft.mark}"),
            mark=composed.Literal(draft.mark),
        ),
        render("schema_undo", schema=schema),
        "Apart from the tables, so that nothing there can stand in its functions' way",
        role=draft.keeper,
        mutations=(
            draft.mutation(
                "create and usage to PUBLIC",
                grant("create, usage", "schema", schema, ("",)),
                revoke("create, usage", "schema", schema, ("",)),
            ),
            draft.given_away(lambda owner: render("schema_owner", schema=schema, owner=owner), draft.keeper),
        ),
    )


def identity_parts(draft: Draft) -> Iterator[Part]:
    """The keys of tokens and the function that checks one; nothing where the intent has no identity."""
    if draft.intent.identity is None:
        return
    table = composed.Identifier(draft.intent.schema, "token_keys")
    yield Part(
        "token",
        qualified(*table.strings),
        render("token_keys", table=table, owner=composed.Identifier(draft.keeper)),
        render("token_keys_undo", table=table),
        "Nobody reads the keys but the function; a setting that anybody can set proves nothing",
        role=draft.keeper,
        mutations=(
            draft.mutation(
                "keys readable",
                render("grant", privileges=raw("select"), kind=raw("table"), objects=table, **_public())
                + "\n"
                + render(
                    "grant",
                    privileges=raw("usage"),
                    kind=raw("schema"),
                    objects=composed.Identifier(draft.intent.schema),
                    **_public(),
                ),
                render(
                    "revoke",
                    privileges=raw("select"),
                    kind=raw("table"),
                    objects=table,
                    grantees=raw("public"),
                )
                + "\n"
                + render(
                    "revoke",
                    privileges=raw("usage"),
                    kind=raw("schema"),
                    objects=composed.Identifier(draft.intent.schema),
                    grantees=raw("public"),
                ),
            ),
        ),
    )
    yield _function(draft, table)


def _public() -> dict[str, composed.Composable]:
    return {"grantees": raw("public"), "option": raw("")}


def _function(draft: Draft, table: composed.Identifier) -> Part:
    function = identity_function(draft)

    def made(**loosened: str) -> str:
        checks = {name: template(f"token_{name}") for name in ("signed", "audience", "unexpired")} | loosened
        return render(
            "current_identity",
            function=function,
            table=table,
            type=raw(_type(draft)),
            cast=raw(f"proved.identity::{_type(draft)}"),
            valid=_valid(draft),
            **{name: raw(text) for name, text in checks.items()},
        )

    owned = render("current_identity_owner", function=function, owner=composed.Identifier(draft.keeper))
    apply = made()
    return Part(
        "token",
        f"{qualified(*function.strings)}()",
        f"{apply}\n{owned}",
        render("current_identity_undo", function=function),
        "The identity is signed with a key that the role cannot read, for role and database, and expires",
        role=draft.keeper,
        mutations=tuple(
            draft.mutation(name, made(**{check: "true"}), apply)
            for name, check in (
                ("signature not checked", "signed"),
                ("audience not checked", "audience"),
                ("expiry not checked", "unexpired"),
            )
        ),
    )


def _type(draft: Draft) -> str:
    return draft.intent.identity.type if draft.intent.identity else "text"


def _valid(draft: Draft) -> composed.Composable:
    if draft.found.server_version >= _PG16:
        return composed.SQL(_VALID).format(composed.Literal(_type(draft)))
    return raw("proved.identity is not null")
