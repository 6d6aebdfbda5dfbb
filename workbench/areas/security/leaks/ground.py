"""A cluster of one's own for the hunt, set so that it keeps and logs as much as a busy production server."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from workbench.areas.security.leaks.hunting import hunt
from workbench.areas.security.leaks.model import Hunt
from workbench.areas.security.leaks.planting import planted_in_clear, planted_sealed, prepare
from workbench.areas.security.leaks.postgres import PostgresGround
from workbench.engines.postgres import Binaries, private_cluster

TALKATIVE = {
    "wal_level": "replica",
    "wal_keep_size": "512MB",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.track_utility": "on",
    "track_activity_query_size": "65536",
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
    "log_temp_files": "0",
}


@contextlib.contextmanager
def hunting_ground(
    *, binaries: Binaries | None = None, report: Path | None = None
) -> Iterator[PostgresGround]:
    """An empty database of a private cluster that logs every statement; gone after the block."""
    with (
        private_cluster(settings=TALKATIVE, binaries=binaries) as (server, cluster),
        server.scratch_database(label="hunt") as database,
    ):
        yield PostgresGround(server, database, cluster.data, cluster.log, report)


def hunt_run(*, binaries: Binaries | None = None) -> Hunt:
    """The whole hunt: secrets planted in the naive way and in ours, every place searched for both."""
    with (
        tempfile.TemporaryDirectory() as report,
        tempfile.TemporaryDirectory() as keys,
        hunting_ground(binaries=binaries, report=Path(report)) as ground,
    ):
        prepare(ground)
        with planted_in_clear(ground) as controls, planted_sealed(ground, Path(keys)) as sealed:
            return hunt(ground.places(), [*controls, *sealed], engine=ground.server.description)
