"""Encryption proved: a key in the database and one outside, documents, the hunt for planted secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from workbench.areas.security.attacks.model import AttackRun, Attempt
from workbench.areas.security.encryption.field_probes import field_probes
from workbench.areas.security.ground import Ground
from workbench.areas.security.leaks import Hunt, design_hunt, hunt_run, mongo_hunt_run
from workbench.areas.security.leaks.probes import naive_probes, sealed_probes
from workbench.engines.mongo import mongo_engine
from workbench.errors import FeatureUnavailable

T = TypeVar("T")


@dataclass(frozen=True)
class EncryptionProof:
    """What was tried against values in columns and in documents.

    *naive* is pgcrypto with its key in a setting, None where no engine here has pgcrypto; *documents* are the
    attempts on MongoDB, on *documents_engine*. *hunts* are by what was searched. *left_out* says what could
    not be proved here, and why.
    """

    naive: AttackRun | None
    sealed: AttackRun
    hunts: Mapping[str, Hunt]
    documents: tuple[Attempt, ...]
    documents_engine: str
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class LeakHunts:
    """Hunts by what was searched; *left_out* says which could not be made here, and why."""

    hunts: Mapping[str, Hunt]
    left_out: tuple[str, ...]

    @property
    def proved(self) -> bool:
        """Whether each hunt is a proof: no secret was seen, and everything that was to be seen was."""
        return all(each.proved for each in self.hunts.values())


def hunt_leaks(ground: Ground | None = None) -> LeakHunts:
    """Secrets planted in private servers of PostgreSQL and MongoDB, and looked for wherever these write.

    With *ground* the labelled values of its intent are hunted as well, after the design's own program wrote
    them. Raises EngineError where no server can be started.
    """
    left_out: list[str] = []
    hunts = {"a server of PostgreSQL": hunt_run()}
    if (found := _unless_missing(mongo_hunt_run, left_out)) is not None:
        hunts["a server of MongoDB"] = found
    if ground is not None and ground.intent.audit is not None and ground.intent.labels:
        hunts["the design's own server"] = design_hunt(ground.place, ground.intent)
    return LeakHunts(hunts, tuple(dict.fromkeys(left_out)))


def prove_encryption(ground: Ground | None = None) -> EncryptionProof:
    """Try both designs of an encrypted column, encrypted fields of documents, and hunt for secrets.

    With *ground* the labelled values of its intent are hunted as well, after the design's own program wrote
    them. All is done in private clusters and scratch databases. Raises EngineError where none can be started.
    """
    left_out: list[str] = []
    naive = _unless_missing(naive_probes, left_out)
    documents = _unless_missing(_documents, left_out)
    attempts, engine = documents or ((), "")
    hunted = hunt_leaks(ground)
    return EncryptionProof(
        naive,
        sealed_probes(),
        hunted.hunts,
        attempts,
        engine,
        tuple(dict.fromkeys((*left_out, *hunted.left_out))),
    )


def _documents() -> tuple[tuple[Attempt, ...], str]:
    with mongo_engine() as server:
        return tuple(field_probes(server)), server.description


def _unless_missing(prove: Callable[[], T], left_out: list[str]) -> T | None:
    try:
        return prove()
    except FeatureUnavailable as exc:
        left_out.append(str(exc))
        return None
