"""What the first page says, gathered from the areas' results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from workbench.proof.findings import SEVERITIES, Finding, Severity
from workbench.proof.plain import plain
from workbench.proof.results import AreaResults, Artifact, LookedAt, Outcome, Proof, by_severity

SEVERITY_WORDS: dict[Severity, tuple[str, str]] = {
    "error": ("error", "errors"),
    "warn": ("warning", "warnings"),
    "info": ("note", "notes"),
}


@dataclass(frozen=True)
class CheckGroup:
    """The findings of one check and severity. *why* is what all of them say, else empty."""

    area: str
    check: str
    severity: Severity
    findings: tuple[Finding, ...]

    @property
    def anchor(self) -> str:
        return f"check-{self.area}-{self.check}-{self.severity}"

    @property
    def name(self) -> str:
        return self.check.replace("_", " ").replace("-", " ")

    @property
    def why(self) -> str:
        reasons = {found.why for found in self.findings}
        return self.findings[0].why if len(reasons) == 1 else ""

    @property
    def verified(self) -> int:
        return sum(found.verified for found in self.findings)

    @property
    def unverified_because(self) -> tuple[str, ...]:
        reasons = (found.unverified_because for found in self.findings if not found.verified)
        return tuple(dict.fromkeys(reason for reason in reasons if reason))

    @property
    def fixes(self) -> str:
        """All fixes as one script, each once; empty where there is but one."""
        fixes = dict.fromkeys(found.fix.strip() for found in self.findings if found.fix.strip())
        return "\n\n".join(fixes) if len(fixes) > 1 else ""


@dataclass(frozen=True)
class Unproved:
    """The claims that were not proved for one reason."""

    why_not: str
    how_to: str
    claims: tuple[Proof, ...]


@dataclass(frozen=True)
class Overview:
    """All areas together, as the first page and the summary show them."""

    areas: tuple[AreaResults, ...]

    @property
    def findings(self) -> list[Finding]:
        return by_severity(found for area in self.areas for found in area.findings)

    @property
    def groups(self) -> list[CheckGroup]:
        """The findings by check, the worst checks first, then the most frequent."""

        def key(found: Finding) -> tuple[str, str, str]:
            return found.area, found.check, found.severity

        grouped = groupby(sorted(self.findings, key=key), key)
        found = [
            CheckGroup(area, check, findings[0].severity, tuple(findings))
            for (area, check, _), members in grouped
            if (findings := list(members))
        ]
        return sorted(
            found,
            key=lambda each: (SEVERITIES.index(each.severity), -len(each.findings), each.area, each.check),
        )

    @property
    def counts(self) -> dict[Severity, int]:
        return {each: sum(found.severity == each for found in self.findings) for each in SEVERITIES}

    @property
    def verified(self) -> int:
        return sum(found.verified for found in self.findings)

    @property
    def proofs(self) -> list[Proof]:
        return [proof for area in self.areas for proof in area.proofs]

    def with_outcome(self, outcome: Outcome) -> list[Proof]:
        return [proof for proof in self.proofs if proof.outcome == outcome]

    @property
    def unproved(self) -> list[Unproved]:
        """What was not proved, by reason, the most frequent reason first."""
        reasons: dict[tuple[str, str], list[Proof]] = {}
        for proof in self.with_outcome("not proved"):
            reasons.setdefault((proof.why_not, proof.how_to), []).append(proof)
        grouped = [Unproved(why_not, how_to, tuple(claims)) for (why_not, how_to), claims in reasons.items()]
        return sorted(grouped, key=lambda each: -len(each.claims))

    @property
    def looked_at(self) -> list[LookedAt]:
        """What the areas looked at, each once."""
        seen: list[LookedAt] = []
        for area in self.areas:
            if area.looked_at is not None and area.looked_at not in seen:
                seen.append(area.looked_at)
        return seen

    @property
    def artifacts(self) -> list[Artifact]:
        return [made for area in self.areas for made in area.artifacts]

    @property
    def engines(self) -> list[str]:
        """The engines that something was proved on."""
        named = [proof.engine for proof in self.proofs if proof.outcome != "not proved"]
        named += [each.engine for found in self.findings if found.verified for each in found.evidence]
        return list(dict.fromkeys(name for name in named if name))

    @property
    def verdict(self) -> str:
        """The whole in a sentence or two."""
        return f"{self.verdict_on_findings} {self.verdict_on_proofs}".strip()

    @property
    def verdict_on_findings(self) -> str:
        if not self.findings:
            return "Nothing was found to complain of." if self.areas else "No notebook ran to its end."
        parts = [counted(count, *SEVERITY_WORDS[each]) for each, count in self.counts.items() if count]
        return f"{sentence(parts)} found, {self.verified:,} of {len(self.findings):,} proved on an engine."

    @property
    def verdict_on_proofs(self) -> str:
        if not self.proofs:
            return ""
        counts = [
            (outcome, len(self.with_outcome(outcome))) for outcome in ("proved", "refuted", "not proved")
        ]
        said = sentence([f"{count:,} {outcome}" for outcome, count in counts if count])
        return f"Of {counted(len(self.proofs), 'claim', 'claims')}, {said}."


def counted(count: int, one: str, many: str) -> str:
    """``1 table``, ``1,200 tables``."""
    return f"{count:,} {one if count == 1 else many}"


def sentence(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def size(size_bytes: float | None) -> str:
    """A size for people, in units of 1,024."""
    if size_bytes is None:
        return ""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1024:
            return (
                f"{size_bytes:,.0f} {unit}"
                if unit == "bytes" or size_bytes >= 100
                else f"{size_bytes:.1f} {unit}"
            )
        size_bytes /= 1024
    return f"{size_bytes:,.1f} TB"


def duration(elapsed_s: float) -> str:
    """``0.4 s``, ``12 s``, ``2 min 5 s``."""
    if elapsed_s < 10:
        return f"{elapsed_s:.1f} s"
    if elapsed_s < 60:
        return f"{elapsed_s:.0f} s"
    return f"{int(elapsed_s // 60)} min {int(elapsed_s % 60)} s"


def words(value: Any) -> str:
    """A value of a fact or of evidence for people; structures as JSON."""
    value = plain(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _decimal(value)
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(words(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _decimal(value: float) -> str:
    if not 1e-3 <= abs(value) < 1e15 and value:
        return f"{value:.3g}"
    digits = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".")


def line_numbers(lines: Iterable[int]) -> str:
    """``line 3``, ``lines 3, 7``; the first twenty."""
    listed = list(lines)
    if not listed:
        return ""
    more = f" and {len(listed) - 20} more" if len(listed) > 20 else ""
    return f"{'line' if len(listed) == 1 else 'lines'} {', '.join(f'{line:,}' for line in listed[:20])}{more}"
