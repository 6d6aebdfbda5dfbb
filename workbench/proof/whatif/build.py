"""The clone is built: a private cluster with a source's structure, statistics and settings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from psycopg2 import sql as composed
from psycopg2.extensions import connection as AnyConnection

from workbench import script, sql
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.errors import FeatureUnavailable
from workbench.proof.whatif import facts as read
from workbench.proof.whatif.candidates import Maker, evict, index_columns
from workbench.proof.whatif.clone import StatisticsClone
from workbench.proof.whatif.extended import restore_extended
from workbench.proof.whatif.facts import Facts
from workbench.proof.whatif.files import Folder
from workbench.proof.whatif.sample import Samples
from workbench.proof.whatif.sizing import Sizer
from workbench.proof.whatif.structure import dumped_structure, loaded_structure

_OLDEST_ENGINE = 18  # pg_restore_attribute_stats()
_SCHEMA, _SAMPLES = "workbench_whatif", "workbench_sample"
_CLUSTER = {
    "shared_preload_libraries": "",
    "shared_buffers": "16MB",
    "log_min_messages": "panic",
}


@contextlib.contextmanager
def statistics_clone(
    source: AnyConnection,
    server: Server,
    *,
    sample: AnyConnection | None = None,
    sample_rows: int = 15_000,
    volume: float | Mapping[str, float] = 1.0,
    timeout_s: float = 300.0,
    statement_timeout_s: float = 60.0,
) -> Iterator[StatisticsClone]:
    """A clone of the database behind *source*, which is only read; gone after the block.

    *server* lends its programs to a private cluster. From *sample*, a connection to *source* or to a copy
    with its rows, about *sample_rows* rows of a table are read for whoever asks for an index on it, in
    whole pages; without it sizes and the statistics of expressions are less exact.

    *volume* multiplies rows and pages, of all tables or by qualified name: what is unique grows with its
    table, what refers to another table with that one, and other columns keep the number of their values.
    *timeout_s* bounds the dump and the load, *statement_timeout_s* each plan.
    Raises SourceError where the structure cannot be dumped, FeatureUnavailable on an engine before 18.
    """
    if server.binaries.major < _OLDEST_ENGINE:
        raise FeatureUnavailable(
            "restoring statistics into a clone",
            f"PostgreSQL {server.binaries.version}",
            hint="unset WORKBENCH_POSTGRES_BIN to use the embedded PostgreSQL 18",
        )
    facts = read.grown(source, read.read_facts(source), volume)
    unreadable = [(each.schema_name, each.relation_name) for each in facts.relations if not each.readable]
    with contextlib.ExitStack() as stack:
        private, cluster = stack.enter_context(
            private_cluster(settings=_CLUSTER, initdb_args=["--no-data-checksums"], binaries=server.binaries)
        )
        # into the cluster's home, which is removed even where this process is killed
        dumped = dumped_structure(
            source, server.binaries, cluster.home, timeout_s=timeout_s, without=unreadable
        )
        name, load, left_out = stack.enter_context(loaded_structure(private, dumped, timeout_s=timeout_s))
        owner = script.as_loader(private, load)
        with private.session(name) as admin, owner.session(name) as maker:
            lost = [*left_out, *(f"{each.statement}: {each.reason}" for each in load.left_out)]
            lost += [f"extension {each.extension}: {each.how}" for each in load.stood_in]
            samples = Samples(admin, maker, _SAMPLES, sample, sample_rows)
            sizer, folder = Sizer(admin, samples), Folder(cluster.data, cluster.user)
            if unreadable:
                lost.append(f"tables that the login may not read: {read.listed(unreadable)}")
            lost += [*facts.lost, *_fill(admin, maker, folder, sizer, facts)]
            with owner.session(name) as planner:
                _adopt(planner, facts, statement_timeout_s)
                _adopt(maker, facts, statement_timeout_s)
                yield StatisticsClone(
                    planner, private, tuple(lost), Maker(admin, maker, folder, sizer), _SCHEMA
                )


def _fill(
    admin: Connection, maker: Connection, folder: Folder, sizer: Sizer, facts: Facts
) -> tuple[str, ...]:
    """Statistics into the catalog, lengths into the files; what could not be carried over."""
    install = composed.SQL(sql.read("proof/whatif/install.sql")).format(
        schema=composed.Identifier(_SCHEMA),
        samples=composed.Identifier(_SAMPLES),
        owner=composed.Identifier(maker.info.user),
    )
    admin.execute(install)
    lost = (*read.restore(maker, facts), *restore_extended(admin, facts.extended))
    wanted = {(each.schema_name, each.relation_name): each.blocks for each in facts.relations}
    trees = {}
    files = sql.fetch(admin, "proof/whatif/relation_files.sql")
    for row in files:
        blocks = wanted.get((row["schema_name"], row["relation_name"]), 0)
        if not blocks:
            continue
        folder.set_length(row["path"], blocks)
        if row["method"] == "btree":
            trees[row["oid"]] = (row["path"], blocks)
    evict(admin, list(trees))
    columns = index_columns(admin, list(trees))
    for oid, (path, blocks) in trees.items():
        folder.set_height(path, sizer.height(blocks, columns[oid]))
    evict(admin, list(trees))  # what was read meanwhile is not what is there now
    return lost


def _adopt(planner: Connection, facts: Facts, timeout_s: float) -> None:
    """The source's planner settings and search path for one session."""
    settings = {
        **facts.settings,
        "jit": "off",
        "search_path": ", ".join('"' + each.replace('"', '""') + '"' for each in facts.search_path),
        "statement_timeout": f"{int(timeout_s * 1000)}ms",
    }
    sql.fetch(
        planner,
        "proof/whatif/adopt_settings.sql",
        {"names": list(settings), "settings": list(settings.values())},
    )
