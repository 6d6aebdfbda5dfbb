"""What a review could not tell, a line each, with what to do about it."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.areas.optimization.structure.model import Bloat, Limits, Structure
from workbench.areas.optimization.structure.use import was_read
from workbench.proof.workload.model import Workload


def not_judged(structure: Structure, bloat: Mapping[int, Bloat], limits: Limits) -> list[str]:
    """A line for everything that could not be told, with what to do about it."""
    lines = []
    server = structure.server
    if not structure.is_live:
        lines.append(
            "activity (dead rows, vacuum, unused indexes, HOT updates): the database was just loaded by us, "
            "and its counters tell of nothing else; name a live database"
        )
    elif server.is_replica:
        lines.append(
            "what vacuum is behind with: this server is a replica, and the primary counts it; name that"
        )
    if structure.is_live and server.counted_days < limits.age_days:
        lines.append(
            f"unused indexes and tables: the counters cover {server.counted}, and {limits.age_days:g} days "
            "are asked for; look again later"
        )
    elif structure.is_live and not was_read(structure):
        lines.append("unused indexes and tables: nothing at all was read since the counters began")
    if structure.is_live and not server.sees_all_sessions:
        lines.append(
            "sessions of other roles that hold back vacuum: this role does not see their horizon; "
            "grant pg_read_all_stats to it"
        )
    return lines + _not_known(structure, bloat)


def without_values(workload: Workload | None) -> list[str]:
    unknown = [each.name for each in workload.statements if each.values is None] if workload else []
    if not unknown:
        return []
    return [
        f"partitioning and long values for {len(unknown)} statements of the workload: the values of their "
        "parameters are not known"
    ]


def _not_known(structure: Structure, bloat: Mapping[int, Bloat]) -> list[str]:
    by_reason: dict[tuple[str, str], list[str]] = {}
    for table in structure.tables:
        for kind, oid, title in (
            ("the bloat of tables", table.oid, table.title),
            ("the bloat of TOAST tables", table.toast_oid, table.title),
            *(("the bloat of indexes", index.oid, index.title) for index in table.indexes),
        ):
            known = bloat.get(oid)
            if known and known.how == "not known" and known.size_bytes:
                by_reason.setdefault((kind, known.because), []).append(title)
    return [
        f"{kind}: {because}: {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
        for (kind, because), names in by_reason.items()
    ]
