"""The list of the probes, by the numbers of docs/attacks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes import (
    extras,
    functions,
    gaps,
    oracles,
    privileges,
    references,
    rows,
    tampering,
    tokens,
    trail,
    uninvited,
    views,
    working,
)
from workbench.areas.security.attacks.probes.scene import Owned, Scene

Tenant: TypeAlias = Callable[[Scene, str, Owned], Iterator[Attempt]]
Anybody: TypeAlias = Callable[[Scene], Iterator[Attempt]]


@dataclass(frozen=True)
class Probe:
    """A way around a design. Of *tenant*, it needs an identified login and a table whose rows have owners."""

    number: str
    title: str
    tenant: Tenant | None = None
    anybody: Anybody | None = None

    def attempts(self, scene: Scene) -> Iterator[Attempt]:
        """The probe tried on *scene*; what it has nothing for goes to its list of what was left out."""
        if self.tenant is not None:
            yield from self._by_tenant(self.tenant, scene)
        if self.anybody is not None:
            yield from self.anybody(scene)

    def _by_tenant(self, tenant: Tenant, scene: Scene) -> Iterator[Attempt]:
        if scene.app is None:
            scene.left_out.append(
                f"probe {self.number}: not applicable: no login acts for one identity at a time"
            )
        elif scene.subject is None:
            scene.left_out.append(
                f"probe {self.number}: not applicable: {scene.app.name} reads own rows of no table "
                "with a primary key and rows of two identities"
            )
        else:
            yield from tenant(scene, scene.app.name, scene.subject)


def forged_tokens(scene: Scene, app: str, subject: Owned) -> Iterator[Attempt]:
    """4: identities that are made up, and tokens that were true for something else."""
    yield from rows.forged_identity(scene, app, subject)
    yield from tokens.replayed_tokens(scene, app, subject)


def reference_rights(scene: Scene) -> Iterator[Attempt]:
    """12: the privilege that a foreign key to a table needs."""
    return functions.rights_on_tables(scene, "12", "references")


def truncation(scene: Scene) -> Iterator[Attempt]:
    """15: the privilege that a TRUNCATE needs."""
    return functions.rights_on_tables(scene, "15", "truncate")


PROBES: tuple[Probe, ...] = (
    Probe("1", "No identity, or an empty one", tenant=rows.no_identity),
    Probe("2", "Another's rows read and changed", tenant=rows.rows_of_another),
    Probe("3", "Rows written for another", tenant=rows.rows_for_another),
    Probe("4", "A forged identity", tenant=forged_tokens),
    Probe("5", "The owner of the tables", tenant=rows.owner_reads),
    Probe("6", "Row security switched off", tenant=rows.row_security_off),
    Probe("7", "Views", tenant=views.views),
    Probe("8", "Leaky functions", tenant=oracles.leaky_functions),
    Probe("9", "Errors as an oracle", tenant=rows.error_oracle),
    Probe("10", "Estimates and statistics", tenant=oracles.estimates),
    Probe("11", "Unique keys as an oracle", tenant=oracles.unique_keys),
    Probe("12", "Foreign keys as an oracle", tenant=references.foreign_keys, anybody=reference_rights),
    Probe("13", "Cascades to another's rows", tenant=references.cascades),
    Probe("14", "COPY", tenant=rows.copies),
    Probe("15", "TRUNCATE", tenant=rows.truncates, anybody=truncation),
    Probe("16", "Partitions", tenant=views.partitions),
    Probe("17", "Prepared statements after a change of identity", tenant=rows.prepared),
    Probe("18", "SECURITY DEFINER and temporary objects", anybody=functions.definers),
    Probe("19", "SECURITY DEFINER and an attacker's schema", anybody=functions.attacker_schemas),
    Probe("20", "Other roles", anybody=privileges.other_roles),
    Probe("21", "Planted triggers", anybody=functions.planted_triggers),
    Probe("22", "Objects made later", anybody=privileges.made_later),
    Probe("23", "Sequences", anybody=privileges.sequences),
    Probe("24", "Large objects", anybody=privileges.large_objects),
    Probe("25", "A connection to the own server", anybody=privileges.loopback),
    Probe("26", "Outside of the tables", anybody=privileges.outside),
    Probe("30", "Forged entries of the trail", anybody=trail.with_trail("30", trail.forged_entries)),
    Probe("31", "The trail's own functions", anybody=trail.with_trail("31", trail.forging_functions)),
    Probe("32", "Audit switched off", anybody=trail.with_trail("32", trail.switched_off)),
    Probe("33", "session_replication_role", anybody=trail.with_trail("33", trail.replica_role)),
    Probe("34", "TRUNCATE under audit", anybody=trail.with_trail("34", gaps.truncations)),
    Probe("35", "Partitions under audit", anybody=trail.with_trail("35", gaps.partition_writes)),
    Probe("36", "Every kind of write under audit", anybody=trail.with_trail("36", gaps.exact_counts)),
    Probe("37", "A changed key under audit", anybody=trail.with_trail("37", gaps.changed_keys)),
    Probe("38", "Partitions detached", anybody=trail.with_trail("38", gaps.detached_partitions)),
    Probe("39", "Values that the trail must not hold", anybody=trail.with_trail("39", trail.plaintext)),
    Probe("40", "Tampering", anybody=trail.with_trail("40", tampering.tampered_entries)),
    Probe("X1", "What the owner alone may do", tenant=extras.definitions),
    Probe("X2", "Locks", tenant=extras.table_locks),
    Probe("X3", "What the catalogs tell", tenant=extras.statistics),
    Probe("X4", "Readable code", anybody=extras.readable_code),
    Probe("X5", "The keys of the tokens", anybody=extras.token_keys),
    Probe("X6", "Memberships and attributes", anybody=extras.memberships),
    Probe("X7", "Other sessions", anybody=extras.other_sessions),
    Probe("X8", "What a pooled connection keeps", tenant=extras.left_behind),
    Probe("X9", "Other plans", tenant=extras.other_plans),
    Probe("X10", "A shadowed identity", tenant=extras.shadowed_identity),
    Probe("X11", "pg_dump", tenant=extras.dumps),
    Probe("X12", "Event triggers, slots and channels", anybody=extras.event_triggers),
    Probe("X13", "A foreign key to hidden rows", tenant=extras.hidden_references),
    Probe("U1", "A login of no rule", anybody=uninvited.strangers),
    Probe("U2", "Temporary tables", anybody=uninvited.temporary_tables),
    Probe("U3", "Routines that no rule needs", anybody=uninvited.routines),
    Probe("U4", "Functions and types made later", anybody=uninvited.made_later),
    Probe("U5", "Tokens of others", anybody=uninvited.tokens),
    Probe("U6", "Own rows handed over unread", anybody=uninvited.handed_over),
    Probe("U7", "Types built upon", anybody=uninvited.types),
    Probe("U8", "What others own", anybody=uninvited.ownership),
    Probe("W1", "Valid rows are inserted", anybody=working.inserted),
    Probe("W2", "Columns are changed", anybody=working.changed),
    Probe("W3", "Rows are deleted", anybody=working.deleted),
    Probe("W4", "Values are compared", anybody=working.compared),
    Probe("W5", "The trail is read", anybody=working.trail_read),
    Probe("W6", "The identity is asked for", anybody=working.identity_asked),
)
