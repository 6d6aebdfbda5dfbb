"""The roles that an intent uses as they are: in the place, too, they are what the source says of them."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import Intent
from workbench.areas.security.trial.model import Place
from workbench.areas.security.trial.moving import FoundRole
from workbench.errors import BadInput
from workbench.source import OpenSource

_FOLDER = "security/trial"


def bring_existing_roles(place: Place, opened: OpenSource, intent: Intent) -> None:
    """Make the roles of *intent* that exist what they are in the source: they log in, bypass, are members.

    Only a named database says more of a role than that it is there: a script's logs in where its kind is
    login. Raises BadInput for a superuser, whom no rule binds, and for a role that the source has not.
    """
    wanted = [each for each in intent.roles if each.existing]
    if not wanted:
        return
    kinds = {each.name: each.kind for each in wanted}
    with place.server.session() as conn:
        there = {row["name"] for row in sql.fetch(conn, f"{_FOLDER}/roles_found.sql", {"roles": list(kinds)})}
    found = _found(opened, kinds, there)
    for name in kinds:
        if name not in found:
            raise BadInput(f"role {name} is said to exist and does not: leave existing: true away")
    with place.server.session() as conn:
        for role in found.values():
            verb = "alter" if role.name in there else "create"
            options = [("login", role.login), ("inherit", role.inherit), ("bypassrls", role.bypass)]
            words = " ".join(word if has else "no" + word for word, has in options)
            conn.execute(composed.SQL(f"{verb} role {{}} {words}").format(composed.Identifier(role.name)))
        for role in found.values():
            for group in role.member_of:
                conn.execute(
                    composed.SQL("grant {} to {}").format(
                        composed.Identifier(group), composed.Identifier(role.name)
                    )
                )


def _found(opened: OpenSource, kinds: Mapping[str, str], there: set[str]) -> dict[str, FoundRole]:
    if opened.source.kind != "database":
        return {
            name: FoundRole(name, kinds[name] == "login", True, False, ()) for name in kinds if name in there
        }
    rows = sql.fetch(opened.connection, f"{_FOLDER}/roles_found.sql", {"roles": list(kinds)})
    superusers = [row["name"] for row in rows if row["superuser"]]
    if superusers:
        raise BadInput(
            f"role {superusers[0]} is a superuser, whom no rule binds: take the role out of the intent"
        )
    return {
        row["name"]: FoundRole(
            row["name"], row["login"], row["inherit"], row["bypass"], tuple(row["member_of"])
        )
        for row in rows
    }
