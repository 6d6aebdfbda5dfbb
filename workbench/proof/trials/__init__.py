"""Trials: a change of indexes tried on a copy with data, and every figure of it measured."""

from workbench.proof.trials.database import RowsFrom, TrialDatabase, trial_database
from workbench.proof.trials.model import (
    SLOWER,
    Change,
    IndexTrial,
    NamedIndex,
    Ratio,
    Rejected,
    Results,
    Side,
    StatementTrial,
    TakeHome,
    Trial,
    WriteCost,
)
from workbench.proof.trials.take_home import creation, named, names_taken
from workbench.proof.trials.trial import try_change

__all__ = [
    "SLOWER",
    "Change",
    "IndexTrial",
    "NamedIndex",
    "Ratio",
    "Rejected",
    "Results",
    "RowsFrom",
    "Side",
    "StatementTrial",
    "TakeHome",
    "Trial",
    "TrialDatabase",
    "WriteCost",
    "creation",
    "named",
    "names_taken",
    "trial_database",
    "try_change",
]
