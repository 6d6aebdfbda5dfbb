"""What is wrong with an intent file, every problem with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.errors import BadInput


@dataclass(frozen=True, order=True)
class Problem:
    """One problem: the *line* (from 1) and, in one line, what is wrong and what to do."""

    line: int
    text: str


class IntentError(BadInput):
    """An intent that cannot be used. *problems* are all that were found, in the order of their lines.

    The message has the first, with its file and line, and says how many more there are.
    """

    def __init__(self, path: str, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(set(problems)))
        first, more = self.problems[0], len(self.problems) - 1
        super().__init__(f"{path}:{first.line}: {first.text}" + (f" (and {more} more)" if more else ""))

    @property
    def report(self) -> str:
        """All problems, one a line, each as ``file:line: what is wrong and what to do``."""
        return "\n".join(f"{self.path}:{each.line}: {each.text}" for each in self.problems)
