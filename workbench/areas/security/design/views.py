"""Views read as whoever asks; where that cannot be, as their owner and behind a barrier."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql as composed

from workbench.areas.security.design.draft import Draft
from workbench.areas.security.design.found import FoundRelation
from workbench.areas.security.design.model import Part
from workbench.areas.security.design.text import raw, render
from workbench.areas.security.intent.model import TableName
from workbench.catalog.model import qualified
from workbench.errors import FeatureUnavailable

_PG15 = 150_000


def view_parts(draft: Draft) -> Iterator[Part]:
    """One option a view. Raises FeatureUnavailable where a server before 15 would let a view see all rows."""
    for view in draft.found.relations:
        name = (view.schema, view.name)
        if view.schema not in draft.schemas or view.kind not in ("v", "m"):
            continue
        hidden = _bases(draft, name) & draft.under_row_security
        if view.kind == "m":
            if hidden:
                draft.remarks.append(
                    f"materialized view {qualified(*name)} holds rows of everybody: it is granted to nobody, "
                    f"and a refresh as {draft.owner} sees no row"
                )
            continue
        blind = _who_cannot_read_below(draft, name)
        if blind and not hidden:
            yield _option(draft, view, "security_barrier")
            continue
        if blind:
            draft.remarks.append(
                f"view {qualified(*name)} reads as whoever asks, and {', '.join(blind)} may not read all "
                "that it reads: grant that in the intent"
            )
        if draft.found.server_version < _PG15:
            if hidden:
                raise FeatureUnavailable(
                    f"view {qualified(*name)} as whoever asks (security_invoker)",
                    draft.catalog.server,
                    hint="upgrade to PostgreSQL 15, or drop the view: it shows the rows of everybody",
                )
            yield _option(draft, view, "security_barrier")
            continue
        yield _option(draft, view, "security_invoker")


def _bases(draft: Draft, view: TableName) -> set[TableName]:
    """The relations beneath *view*, through other views, too."""
    found: set[TableName] = set()
    waiting = [view]
    while waiting:
        for base in draft.found.view_bases.get(waiting.pop(), {}):
            if base not in found:
                found.add(base)
                waiting.append(base)
    return found


def _who_cannot_read_below(draft: Draft, view: TableName) -> tuple[str, ...]:
    """The roles that may read the view and not all that it reads."""
    below = draft.found.view_bases.get(view, {})
    return tuple(
        role.name
        for role in draft.users
        if draft.permission(role.name, view, "select")
        and not all(
            (may := draft.permission(role.name, base, "select")) is not None and columns <= set(may.columns)
            for base, columns in below.items()
        )
    )


def _option(draft: Draft, view: FoundRelation, option: str) -> Part:
    names = {"view": composed.Identifier(view.schema, view.name), "option": raw(option)}
    apply = render("view_option", **names, value=raw("true"))
    before = dict(each.partition("=")[::2] for each in view.options).get(option)
    undo = (
        render("view_option_undo", **names)
        if before is None or view.owner == draft.owner
        else render("view_option", **names, value=composed.Literal(before))
    )
    loosened = render("view_option", **names, value=raw("false"))
    readers = [
        role
        for role in draft.users
        if role.kind == "login" and draft.permission(role.name, (view.schema, view.name), "select")
    ]
    return Part(
        "view",
        qualified(view.schema, view.name),
        apply,
        undo,
        "A view reads as its owner, past the reader's row security (manual, CREATE VIEW)"
        if option == "security_invoker"
        else "No function of the reader sees a row that the view leaves out (manual 39.5)",
        table=(view.schema, view.name),
        mutations=(draft.mutation(f"{option} off", loosened, apply),) if readers else (),
        spared="" if readers else "no login may read it",
    )
