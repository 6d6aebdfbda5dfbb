"""What a report says it looked at."""

from __future__ import annotations

from workbench.catalog.model import Catalog
from workbench.catalog.overview import size_of
from workbench.proof.results import LeftOut, LookedAt, StoodIn
from workbench.source import OpenSource


def looked_at(opened: OpenSource, catalog: Catalog) -> LookedAt:
    """The source in the report's words: where it is, how it was loaded, how much there is of it."""
    size = size_of(catalog)
    load = opened.load
    return LookedAt(
        source=opened.source.title,
        server=opened.looked_at_on,
        database=catalog.database if opened.read_only else "",
        loaded=_how(opened),
        schemas=catalog.schemas,
        tables=size["tables"],
        rows=size["rows"],
        rows_estimated=True,
        size_bytes=size["bytes"],
        file=opened.source.spec if opened.source.kind == "file" else "",
        stood_in=tuple(StoodIn(each.extension, each.how, each.lines) for each in load.stood_in)
        if load
        else (),
        left_out=tuple(LeftOut(each.line, each.statement, each.reason) for each in load.left_out)
        if load
        else (),
    )


def _how(opened: OpenSource) -> str:
    match opened.source.kind:
        case "example":
            return f"generated at scale {opened.options.scale:g} with seed {opened.options.seed}"
        case "file":
            return "run by psql in a scratch database, as a role that is no superuser"
        case _:
            return "read in READ ONLY transactions; the proofs ran on a copy of its structure without rows"
