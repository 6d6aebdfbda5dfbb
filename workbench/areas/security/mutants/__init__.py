"""The test of the attacks: each part of a design is broken in turn, and the attacks must notice."""

from workbench.areas.security.mutants.model import Mutant, MutantRun
from workbench.areas.security.mutants.proving import prove_mutants

__all__ = ["Mutant", "MutantRun", "prove_mutants"]
