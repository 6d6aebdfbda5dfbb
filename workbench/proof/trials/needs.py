"""Existing indexes that a change would drop, and what they are needed for besides plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench import sql
from workbench.catalog.model import qualified
from workbench.engines.postgres import Connection
from workbench.errors import BadInput
from workbench.proof.trials.model import Change


@dataclass(frozen=True)
class Existing:
    """An existing index; *needed* are reasons against dropping it that no plan shows."""

    schema: str
    name: str
    size_bytes: int
    row: dict[str, object] = field(repr=False)
    needed: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        return qualified(self.schema, self.name)


def existing(conn: Connection, change: Change, *, ignored: Sequence[str] = ()) -> list[Existing]:
    """The indexes that *change* drops, judged as if those *ignored* were not there.

    Raises BadInput where one is missing or named twice.
    """
    names = list(change.drop)
    found = sql.fetch(conn, "proof/trials/resolved.sql", {"names": names})
    missing = set(names) - {row["given"] for row in found}
    if missing:
        raise BadInput(
            f"there is no index {', '.join(sorted(missing))}: name it with its schema, quoted as in SQL"
        )
    if len({(row["schema"], row["name"]) for row in found}) < len(names):
        raise BadInput("an index is to be dropped twice: name each once")
    complete = [each.definition for each in change.create if not each.definition.predicate]
    reasons: dict[str, list[str]] = {}
    for row in sql.fetch(
        conn,
        "proof/trials/needed_for.sql",
        {
            "names": names,
            "ignored": list(ignored),
            "replaced_tables": [qualified(each.schema, each.table) for each in complete],
            "replaced_columns": [
                "\n".join("" if key.is_expression else key.text for key in each.keys) for each in complete
            ],
        },
    ):
        reasons.setdefault(row["given"], []).append(row["reason"])
    return [
        Existing(
            row["schema"], row["name"], int(row["size_bytes"]), row, tuple(reasons.get(row["given"], ()))
        )
        for row in found
    ]
