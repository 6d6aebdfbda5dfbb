"""Logins that were tried and what became of them, as plain facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LoginAttempt:
    """A *claim* about who is let in, what was *expected* and *observed*, and on which *engine*.

    ``in`` is a login that succeeded; a refusal is the server's SQLSTATE (28P01, 28000, 53300) or the
    client's own words, which *detail* holds in full.
    """

    claim: str
    expected: str
    observed: str
    as_declared: bool
    engine: str
    detail: str = ""


@dataclass(frozen=True)
class Authentication:
    """All attempts; *left_out* says what could not be tried here and how it could, one line each."""

    attempts: tuple[LoginAttempt, ...]
    left_out: tuple[str, ...] = ()

    @property
    def totals(self) -> dict[str, int]:
        """``run`` and ``as_declared``."""
        return {"run": len(self.attempts), "as_declared": sum(each.as_declared for each in self.attempts)}
