"""What the advisor says beside its indexes: what it could not consider, and what would have to be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from workbench.areas.optimization.advisor.advice import Droppable
from workbench.areas.optimization.advisor.candidates import TableFacts
from workbench.areas.optimization.advisor.special import OperatorClass
from workbench.areas.optimization.advisor.uses import Use
from workbench.catalog.model import qualified
from workbench.proof.whatif import Refused
from workbench.proof.workload import Unread

_WITHIN = frozenset({"~~", "~~*", "~", "~*"})
_MOST = 10


def never_analysed(uses: Iterable[Use], tables: Mapping[tuple[str, str], TableFacts]) -> list[str]:
    """Tables of which nothing is known: any advice on them would be a guess."""
    found = sorted({(use.schema, use.table) for use in uses if not tables[use.schema, use.table].rows})
    if not found:
        return []
    names = ", ".join(qualified(*each) for each in found[:_MOST])
    more = f" and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
    return [
        f"empty or never analysed, no index is considered: {names}{more}; run ANALYZE where there are rows"
    ]


def without_statistics(uses: Iterable[Use], tables: Mapping[tuple[str, str], TableFacts]) -> list[str]:
    """Tables whose rows were counted and whose columns are unknown: the planner assumes what is in them."""
    found = sorted(
        (use.schema, use.table)
        for use in {(use.schema, use.table): use for use in uses}.values()
        if (table := tables[use.schema, use.table]).rows
        and all(each.average_width_bytes is None for each in table.columns.values())
    )
    if not found:
        return []
    names = ", ".join(qualified(*each) for each in found[:_MOST])
    more = f" and {len(found) - _MOST:,} more" if len(found) > _MOST else ""
    return [
        f"no statistics of columns, the planner guesses: {names}{more}; run ANALYZE, or may they not be read?"
    ]


def searches_within_text(
    uses: Iterable[Use], tables: Mapping[tuple[str, str], TableFacts], classes: Iterable[OperatorClass]
) -> list[str]:
    """Columns that are searched for a text anywhere in them where no index method of the source can."""
    known = {operator for each in classes for operator in each.operators}
    found = {
        f"{qualified(use.schema, use.table)}.{each.left.column[1]}"
        for use in uses
        for each in use.conditions
        if each.operator in _WITHIN - known
        and each.left.column
        and each.comparison != "prefix"
        and each.left.column[1] in tables[use.schema, use.table].columns
    }
    if not found:
        return []
    return [
        "a text anywhere in a column is searched by an index with the extension pg_trgm, which the source "
        f"does not have (create extension pg_trgm): {', '.join(sorted(found)[:_MOST])}"
    ]


def unseen_uses(unread: Sequence[Unread], droppable: Iterable[Droppable]) -> list[str]:
    """What is not proven where statements could not be planned."""
    if not unread or not any(each.kind == "unused" for each in droppable):
        return []
    return [f"{len(unread):,} statements could not be planned: what is unused may be used by them"]


def refused_expressions(refused: Iterable[Refused]) -> list[str]:
    """Expressions that no index can be on, each once, with the engine's reason."""

    def told() -> Iterator[str]:
        for each in refused:
            for key in each.definition.keys:
                if key.is_expression:
                    table = qualified(each.definition.schema, each.definition.table)
                    yield f"no index on {table} ({key.text}): {each.reason}"

    return list(dict.fromkeys(told()))[:_MOST]
