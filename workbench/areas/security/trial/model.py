"""What an attack needs to know of the place where it is run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from workbench.areas.security.design.model import Design
from workbench.areas.security.intent.model import Intent, RoleIntent, TableName
from workbench.catalog.model import Catalog
from workbench.engines.postgres import Connection, Server


@dataclass(frozen=True)
class Place:
    """A private cluster with a database that holds the source's structure and rows, and no design.

    *base* is that database, which nobody stays connected to: attacks run on copies of it. *deployer* owns
    the database and everything in it; it may create roles and is no superuser, as in a managed service.
    *server* is the superuser's access, *log* the server's log file, *data* its data directory.
    *rows_from* says where the rows come from, *generated* which tables had none and got some.
    """

    server: Server
    base: str
    deployer: str
    catalog: Catalog
    log: Path
    data: Path
    rows_from: str
    title: str
    generated: frozenset[TableName] = frozenset()

    def connect(self, database: str, role: str | None = None) -> Connection:
        """A new autocommit connection as *role*, by default as the deployer."""
        return self.server.connect(database, user=role or self.deployer, notices=True)


@dataclass(frozen=True)
class Identities:
    """Two identities with rows of their own, *a* and *b*, as text in the intent's type.

    *note* says which of them own nothing in the source and were made up.
    """

    a: str
    b: str
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A database of *place* to be attacked, with what was applied to it.

    *assume* makes a fresh connection act for an identity (None: for nobody), the way the design under
    attack wants it. *design* is None for the naive one. *superuser* roles and owners are in *roles*, too.
    *settings* are those in which a session itself says for whom it acts; *by_role* says that the name of
    its role does, and *asks* is the SQL that reads it from either. *left_out* says what cannot be tried,
    one line each.
    """

    place: Place
    database: str
    intent: Intent
    design: Design | None
    identities: Identities
    assume: Callable[[Connection, str | None], None] = field(repr=False)
    name: str = "hardened"
    settings: tuple[str, ...] = ()
    by_role: bool = False
    asks: str = ""
    left_out: tuple[str, ...] = ()

    def acts_for(self, role: RoleIntent) -> tuple[str, ...]:
        """For whom sessions of *role* act in turn: for nobody (""), and for identity A."""
        if role.identified != "token":
            return ("",)
        if self.by_role:
            return ("A",) if role.name == self.identities.a else ()
        return ("", "A")

    def connect(self, role: str, identity: str | None = None) -> Connection:
        """A new autocommit connection of *role* that acts for *identity*."""
        conn = self.place.connect(self.database, role)
        self.assume(conn, identity)
        return conn
