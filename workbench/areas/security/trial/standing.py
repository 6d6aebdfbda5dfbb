"""The place of the attacks: a cluster of its own with the source's structure and rows, the deployer's."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from psycopg2 import sql as composed

from workbench import sql
from workbench.areas.security.intent.model import TableName
from workbench.areas.security.trial.model import Place, Target
from workbench.areas.security.trial.moving import dumped, force, given_back, prepared_base, restored
from workbench.areas.security.trial.surface import add_surface
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.proof.rows import Filled, described, generate_rows, plan_rows
from workbench.proof.rows.validation import row_counts
from workbench.source import OpenSource

DEPLOYER = "wb_deployer"
OLDEST_SAFE_CREATEROLE = 160_000  # before, who may create roles can give itself the server's programs
SETTINGS = {
    "wal_level": "replica",
    "max_wal_senders": "4",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "track_activity_query_size": "16384",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
}
_GENERATED_ROWS = 200
RowsFrom = Literal["as they are", "generated"]


@contextlib.contextmanager
def security_place(
    opened: OpenSource, *, rows: RowsFrom | None = None, as_found: bool = False
) -> Iterator[Place]:
    """A private cluster with a copy of *opened*, in which any role may be made; gone after the block.

    The deployer owns all and is no superuser, so nothing of a script runs as one; it may create roles
    once the copy stands. The roles that the source's objects name are there, without login and without
    rights; of owners and privileges nothing is kept, policies and row security are. Of the example the
    built-in schema audit is left out, and the surface (schema shop_api) added. *rows* are by default those
    of the source, and generated for each table that has none, so that it can be attacked; generated ones
    are drawn from the catalog alone, never from a named database's statistics. Raises SourceError where the
    source cannot be copied, BadInput for *rows* that it does not have.

    With *as_found* the source's roles have their owners' and granted rights back (of a named database
    also whether they log in, bypass row security and are members of one another), none more than that: so
    the design that is live can be attacked.
    """
    with (
        tempfile.TemporaryDirectory(prefix="workbench-") as folder,
        ThreadPoolExecutor(1, "workbench-dump") as pool,
    ):
        packed = pool.submit(
            dumped, opened, Path(folder), rows, as_found=as_found
        )  # while the cluster is made
        try:
            with private_cluster(settings=SETTINGS) as (server, cluster):
                dump = packed.result()
                with server.scratch_database(label="place") as base:
                    prepared_base(server, base, DEPLOYER, dump)
                    restored(server, base, DEPLOYER, dump)
                    fill_empty = rows != "as they are" and opened.source.kind != "example"
                    rows_from, made = _filled(server, base, dump.has_rows, opened, fill_empty=fill_empty)
                    if as_found:
                        given_back(server, base, dump)
                    with server.session() as conn:
                        _execute(conn, "deployer_may_create_roles", deployer=composed.Identifier(DEPLOYER))
                    with server.session(base) as conn:
                        force(conn, dump.forced)
                        catalog = reflect(conn)
                    yield Place(
                        server,
                        base,
                        DEPLOYER,
                        catalog,
                        cluster.log,
                        cluster.data,
                        rows_from,
                        opened.source.title,
                        generated=made,
                    )
        finally:
            packed.cancel()


@contextlib.contextmanager
def place_copy(place: Place, label: str) -> Iterator[str]:
    """The name of a fresh copy of the base, the deployer's; dropped after the block."""
    with _copied(place.server, place.base, place.deployer, label) as name:
        yield name


@contextlib.contextmanager
def target_copy(target: Target, label: str, *, owner: str | None = None) -> Iterator[str]:
    """The name of a copy of the target's database, *owner*'s or a superuser's; dropped after the block.

    No run may be under way on the target: whoever is connected to it is sent away.
    """
    with _copied(target.place.server, target.database, owner, label) as name:
        yield name


@contextlib.contextmanager
def _copied(server: Server, database: str, owner: str | None, label: str) -> Iterator[str]:
    """A copy of *database*, to which a backend may still be connected that has not seen its client go."""
    with server.session() as conn:
        _execute(conn, "sessions_end", database=composed.Literal(database))
    with server.scratch_database(template=database, owner=owner, label=label) as name:
        yield name


def _filled(
    server: Server, base: str, has_rows: bool, opened: OpenSource, *, fill_empty: bool
) -> tuple[str, frozenset[TableName]]:
    """Where the rows come from, and the tables that got generated ones, for they had none; analyses."""
    title, seed = opened.source.title, opened.options.seed
    with server.session(base, user=DEPLOYER) as conn:
        if opened.source.kind == "example":
            add_surface(conn)
        if has_rows and not fill_empty:
            conn.execute("analyze")
            if opened.source.kind == "example":
                said = f"the example's generator, scale {opened.options.scale:g}, seed {seed}"
                return said, frozenset()
            return f"{title}, as they are", frozenset()
        catalog = reflect(conn)
        plan = plan_rows(catalog, rows=_GENERATED_ROWS, seed=seed)
        if has_rows:
            counts = row_counts(conn, catalog.base_tables)
            plan = replace(plan, rows={name: n for name, n in plan.rows.items() if not counts[name]})
        with triggers_may_rest(server):
            filled = generate_rows(conn, plan)
    made = frozenset((each.schema, each.name) for each in filled.tables if each.wanted and each.rows)
    if has_rows:
        return f"{title}, as they are{_added(filled, seed)}", made
    if not filled.tables:
        return "none, for there are no tables", made
    return f"generated from the structure, seed {seed}: {described(filled)}", made


def _added(filled: Filled, seed: int) -> str:
    """What became of the tables that the source has no rows of, in words; nothing where there are none."""
    made = [each for each in filled.tables if each.wanted and each.rows]
    bare = [each.qualified for each in filled.empty]
    said = f"; generated, with seed {seed}, for {len(made)} tables that had none" if made else ""
    return said + (f"; {', '.join(bare[:5])}{' and more' if bare[5:] else ''} stayed empty" if bare else "")


@contextlib.contextmanager
def triggers_may_rest(server: Server) -> Iterator[None]:
    """The deployer may fill tables without firing triggers; a setting that a design must not need."""
    deployer = composed.Identifier(DEPLOYER)
    with server.session() as superuser:
        if superuser.server_version >= 150_000:
            _execute(superuser, "triggers_may_rest", deployer=deployer)
        try:
            yield
        finally:
            if superuser.server_version >= 150_000:
                _execute(superuser, "triggers_may_not_rest", deployer=deployer)


def _execute(conn: Connection, name: str, **names: composed.Composable) -> None:
    conn.execute(composed.SQL(sql.read(f"security/trial/{name}.sql")).format(**names))
