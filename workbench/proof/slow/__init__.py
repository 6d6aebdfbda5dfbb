"""Slow statements: ranked, explained, why they are slow, and what was proved to be faster."""

from workbench.proof.slow.diagnosis import diagnose
from workbench.proof.slow.model import (
    Explained,
    NodeTime,
    Reason,
    Remedy,
    Rewrite,
    SlowStatement,
    Tried,
)
from workbench.proof.slow.running import as_explained, explained
from workbench.proof.slow.statements import slow_statements
from workbench.proof.slow.structure import Structure, read_structure

__all__ = [
    "Explained",
    "NodeTime",
    "Reason",
    "Remedy",
    "Rewrite",
    "SlowStatement",
    "Structure",
    "Tried",
    "as_explained",
    "diagnose",
    "explained",
    "read_structure",
    "slow_statements",
]
