"""The checks of sql/security/posture/checks, as their files' headers describe them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

from workbench import sql
from workbench.areas.security.posture.model import AREA, Scope
from workbench.proof.findings import Severity

CHECKS = "security/posture/checks"
Reads = Literal["all", "settings", "verifiers", "hba", "sessions", "mappings", "subscriptions"]

# what lets a role read a source of the checks; {role} is that role, quoted
HELPS: dict[Reads, str] = {
    "settings": "grant pg_read_all_settings to {role};",
    "verifiers": "grant select on table pg_catalog.pg_authid to {role}; "
    "-- it shows the verifiers of all passwords: for the time of the review alone",
    "hba": "grant select on table pg_catalog.pg_hba_file_rules to {role}; "
    "grant execute on function pg_catalog.pg_hba_file_rules() to {role};",
    "sessions": "grant pg_read_all_stats to {role};",
    "mappings": "grant select on table pg_catalog.pg_user_mapping to {role}; "
    "-- it shows passwords: for the time of the review alone",
    "subscriptions": "grant select (subconninfo) on table pg_catalog.pg_subscription to {role}; "
    "-- it shows passwords: for the time of the review alone",
}


@dataclass(frozen=True)
class Check:
    """One file: its *name*, the worst *level* it gives, and the source that it *reads*.

    *needs* is the oldest major version; a check of *scope* ``server`` is about the whole cluster and says
    nothing of an engine of ours.
    """

    name: str
    file: str
    title: str
    level: Severity
    needs: int
    scope: Scope
    reads: Reads
    section: str
    control: str

    @property
    def page(self) -> str:
        """The page that documents it, from the root of the repository."""
        return f"docs/checks/{AREA}_{self.name}.md"


@cache
def checks() -> tuple[Check, ...]:
    """Every check, in the order of the files' numbers."""
    return tuple(_check(file) for file in sql.files(CHECKS))


def _check(file: str) -> Check:
    name = Path(file).stem.partition("_")[2]
    header = sql.header(file)
    return Check(
        name=name,
        file=file,
        title=header[name],
        level=cast(Severity, header["level"]),
        needs=int(header["needs"].removeprefix("PostgreSQL ")),
        scope=cast(Scope, header["scope"]),
        reads=cast(Reads, header["reads"]),
        section=header["section"],
        control=header["control"],
    )
