"""What a review of table structure can find: each has a page in docs/checks."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.areas.optimization.structure.model import AREA
from workbench.proof.findings import Severity


@dataclass(frozen=True)
class Check:
    """A kind of finding: its name, the worst level that it gives, and its title."""

    name: str
    level: Severity
    title: str

    @property
    def page(self) -> str:
        """The page that documents it, from the root of the repository."""
        return f"docs/checks/{AREA}_{self.name}.md"


CHECKS: tuple[Check, ...] = (
    Check("table_bloat", "warn", "Tables with room that no row needs"),
    Check("toast_bloat", "info", "TOAST tables with room that no value needs"),
    Check("index_bloat", "info", "B-trees that are half empty"),
    Check("index_larger_than_table", "info", "Indexes larger than their table"),
    Check("vacuum_behind", "warn", "Tables that autovacuum has not come to"),
    Check("statistics_stale", "warn", "Statistics that are out of date"),
    Check("autovacuum_off", "error", "Autovacuum that is switched off"),
    Check("autovacuum_late", "info", "Large tables with the default threshold"),
    Check("wraparound_age", "warn", "Tables and databases near wraparound"),
    Check("vacuum_held_back", "warn", "What holds back vacuum"),
    Check("unused_index", "info", "Indexes without a scan"),
    Check("unread_table", "info", "Tables that nobody reads"),
    Check("column_order", "info", "Columns in an order that costs space"),
    Check("only_null_column", "info", "Columns without a value"),
    Check("one_value_column", "info", "Columns with the same value in every row"),
    Check("low_hot_share", "info", "Updates that leave their page"),
    Check("toast_compression", "info", "Long values compressed the slow way"),
    Check("toast_uncompressed", "info", "Long values that are not compressed"),
    Check("long_values_read", "info", "Statements that return long values"),
    Check("partitioning", "info", "Large tables that partitioning would serve"),
)
