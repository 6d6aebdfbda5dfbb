"""A design is made from the intent and what the database says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from workbench.areas.security.design.defaults import default_privilege_parts
from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import Found
from workbench.areas.security.design.grants import grant_parts
from workbench.areas.security.design.identity import identity_parts, schema_part
from workbench.areas.security.design.model import Design, Part
from workbench.areas.security.design.ownership import ownership_parts
from workbench.areas.security.design.revokes import revoke_parts
from workbench.areas.security.design.roles import (
    deployer_joins,
    deployer_leaves,
    membership_parts,
    require_right_to_make,
    role_parts,
)
from workbench.areas.security.design.routines import routine_parts
from workbench.areas.security.design.row_security import own_view_parts, row_security_parts
from workbench.areas.security.design.tenant_keys import remark_shared_keys, tenant_key_parts
from workbench.areas.security.design.views import view_parts
from workbench.areas.security.intent.model import OPERATIONS, Intent
from workbench.catalog.model import Catalog, qualified
from workbench.errors import BadInput


def design_of(intent: Intent, catalog: Catalog, facts: Found, *, replace: bool = False) -> Design:
    """The design that makes the database of *catalog* do what *intent* says, no more and no less.

    *facts* are those of the same database, read as the role that will apply the design. With *replace*
    policies that are there already go. Raises BadInput where the deployer may not make roles, where a role
    or a policy is there that is not the design's, and where the intent names no owner.
    """
    if not any(each.kind == "owner" for each in intent.roles):
        raise BadInput(f"intent {intent.name} has no role of kind owner: declare who owns the tables")
    draft = Draft(intent, catalog, facts, replace)
    require_right_to_make(draft)
    _remark_crossed_grants(draft)
    if any(each.name == intent.schema for each in facts.schemas):
        draft.remarks.append(
            f"a design is in place already (schema {qualified(intent.schema)}): the undo of this one leaves "
            "PUBLIC without what the first one took from it, so keep the undo script of the first"
        )
    remark_shared_keys(draft)
    if draft.under_row_security:
        draft.remarks.append(
            f"pg_dump stops at row security for {draft.owner}, too: dump as a superuser or with BYPASSRLS"
        )
    parts = tuple(_parts(draft))
    return Design(intent, parts, tuple(dict.fromkeys(draft.remarks)))


def _parts(draft: Draft) -> Iterator[Part]:
    yield from role_parts(draft)
    yield deployer_joins(draft)
    yield from membership_parts(draft)
    yield from ownership_parts(draft)
    yield from routine_parts(draft)
    yield from revoke_parts(draft)
    yield from default_privilege_parts(draft)
    yield schema_part(draft)
    yield from identity_parts(draft)
    yield from tenant_key_parts(draft)
    yield from own_view_parts(draft)
    yield from row_security_parts(draft)
    yield from view_parts(draft)
    yield from grant_parts(draft)
    if draft.intent.audit is not None:
        yield from _audit_parts(draft)
    yield deployer_leaves(draft)


def _audit_parts(draft: Draft) -> Iterator[Part]:
    from workbench.areas.security.audit.parts import audit_parts

    yield from audit_parts(draft.intent, draft.catalog)


def _remark_crossed_grants(draft: Draft) -> None:
    """Rows and columns are granted apart: two rules with other rows and other columns add up to both."""
    for role in draft.users:
        for table in draft.tables:
            for operation in OPERATIONS:
                may = draft.permission(role.name, (table.schema, table.name), operation)
                if may is None or operation == "delete":
                    continue
                shapes = {(rows, where): set(columns) for rows, where, columns in may.grants}
                if len(shapes) > 1 and len({frozenset(each) for each in shapes.values()}) > 1:
                    draft.remarks.append(
                        f"{role.name} may {operation} some columns of {table.qualified} of some rows and "
                        "others of others: privileges and policies allow all these columns of them all; "
                        "give the columns to two roles, or make a view"
                    )
