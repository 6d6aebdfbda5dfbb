"""A database whose tables are under audit, put there by a deployer that is no superuser."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.areas.security.audit import audit_coverage, audit_parts
from workbench.areas.security.audit.coverage import CoverageGap
from workbench.areas.security.intent.model import AuditIntent, Intent, Label, RoleIntent, TableName
from workbench.catalog.model import Catalog
from workbench.catalog.reflect import reflect
from workbench.engines.postgres import Connection, Server, private_cluster
from workbench.engines.server import scratch_name

DEPLOYER, WRITER, AUDITOR, KEEPER = "deployer", "writer", "auditor", "keeper"
ROLES = (RoleIntent(KEEPER, "audit owner"), RoleIntent(WRITER, "login"), RoleIntent(AUDITOR, "login"))


@dataclass
class Trail:
    """A database under audit, and connections of the roles concerned."""

    server: Server
    name: str
    deployer: Connection
    writer: Connection
    auditor: Connection
    superuser: Connection
    intent: Intent | None = None
    catalog: Catalog | None = None
    undo: list[str] = field(default_factory=list)

    def watch(
        self,
        *tables: str,
        by_row: tuple[str, ...] = (),
        redacted: tuple[str, ...] = (),
        omitted: tuple[str, ...] = (),
        truncate: str = "logged",
    ) -> None:
        """Put *tables* of the schema s under audit as the deployer; columns to hide as table.column."""

        def named(names: tuple[str, ...]) -> tuple[TableName, ...]:
            return tuple(("s", name) for name in names)

        def columns(names: tuple[str, ...]) -> tuple[tuple[str, str, str], ...]:
            return tuple(("s", *name.rsplit(".", 1)) for name in names)  # type: ignore[misc]

        labels = (
            Label("personal", columns(redacted)),
            Label("secret", columns(omitted), audited="omitted", line=7),
        )
        audit = AuditIntent(named(tables), named(by_row), (AUDITOR,), truncate=truncate)  # type: ignore[arg-type]
        self.intent = Intent("test", ROLES, (), labels=labels, audit=audit, path="test.yaml")
        self.catalog = reflect(self.deployer)
        self.deployer.execute(
            "grant usage on schema s to writer; grant all on all tables in schema s to writer"
        )
        parts = audit_parts(self.intent, self.catalog)
        self.undo = [part.undo for part in reversed(parts) if part.undo]
        for _ in range(2):  # it may be run again
            self.deployer.execute("begin;" + "\n".join(part.apply for part in parts) + "commit;")

    def entries(
        self, columns: str = "action, record_key, old_values, redacted_columns"
    ) -> list[tuple[object, ...]]:
        return self.auditor.execute(f"select {columns} from audit.log order by entry_id").fetchall()

    def since(self) -> int:
        return int(self.auditor.execute("select coalesce(max(entry_id), 0) from audit.log").fetchone()[0])  # type: ignore[index]

    def counts(self) -> dict[str, int]:
        """Entries by action."""
        return dict(
            self.auditor.execute("select action::text, count(*) from audit.log group by 1").fetchall()
        )

    def gaps(self) -> list[CoverageGap]:
        assert self.intent and self.catalog
        return audit_coverage(self.deployer, self.intent, self.catalog)


@contextlib.contextmanager
def audit_cluster() -> Iterator[Server]:
    """A private cluster with the roles concerned."""
    with private_cluster(settings={"compute_query_id": "on"}) as (server, _):
        with server.session() as conn:
            conn.execute("create role deployer login createrole; create role writer login")
            conn.execute("create role auditor login; create role keeper")
            conn.execute("grant writer, keeper to deployer")
        yield server


@contextlib.contextmanager
def open_trail(server: Server) -> Iterator[Trail]:
    """A fresh database of the deployer's with an empty schema s."""
    name = scratch_name("audit")
    server.create_database(name, owner=DEPLOYER)
    with contextlib.ExitStack() as stack:
        stack.callback(server.drop_database, name)
        deployer, writer, auditor, superuser = (
            stack.enter_context(server.session(name, user=user)) for user in (DEPLOYER, WRITER, AUDITOR, None)
        )
        deployer.execute("create schema s")
        yield Trail(server, name, deployer, writer, auditor, superuser)
