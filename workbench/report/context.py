"""What a report says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ReportContext:
    """How the report came about, so that someone else can repeat it.

    *command* is the line to type, without any secret; *engines* are the servers of the proofs;
    *settings* (seed, scale, time-outs) are listed as they are. *left_out* are the titles of the
    notebooks that cannot look at a source of this kind.
    """

    title: str
    command: str
    version: str
    engines: tuple[str, ...]
    started: datetime
    elapsed_s: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
