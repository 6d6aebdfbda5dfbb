"""What a notebook hands to the report: findings, facts, proofs and files, as plain data.

A notebook fills one `AreaResults` and saves it; the report reads the folder back. Nothing here
decides how it looks.
"""

from __future__ import annotations

import json
import mimetypes
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from workbench.errors import BadInput
from workbench.proof.findings import SEVERITIES, Evidence, Finding
from workbench.proof.plain import as_json

Outcome = Literal["proved", "refuted", "not proved"]
OUTCOMES: tuple[Outcome, ...] = ("refuted", "not proved", "proved")
RESULTS_VARIABLE = "WORKBENCH_RESULTS"
_AREA = re.compile(r"[a-z][a-z0-9_]*\Z")
_UNSAFE = re.compile(r"[^\w.+-]+")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|\Z)")


@dataclass(frozen=True)
class Fact:
    """A figure worth a line on the first page; *note* says how it was come by or what it means."""

    label: str
    value: Any
    note: str = ""


@dataclass(frozen=True)
class Proof:
    """A claim and what became of it on *engine*.

    Where the outcome is ``not proved``, *why_not* says why and *how_to* is the one command that helps.
    """

    claim: str
    outcome: Outcome
    engine: str
    detail: str = ""
    why_not: str = ""
    how_to: str = ""


@dataclass(frozen=True)
class Artifact:
    """A file that the architect takes home, as artifacts/<area>/*name*.

    A *cover* is a picture that stands on the report's first page.
    """

    area: str
    name: str
    description: str
    media_type: str
    cover: bool = False


@dataclass(frozen=True)
class StoodIn:
    """Something that the engine lacks and that was declared in its stead: *what* for *used_by*."""

    what: str
    instead: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A statement of the source that was not run, and why."""

    line: int
    statement: str
    why: str


@dataclass(frozen=True)
class LookedAt:
    """The source that was looked at. Counts are None where they are not known; the size is in bytes."""

    source: str
    server: str
    database: str = ""
    loaded: str = ""
    schemas: tuple[str, ...] = ()
    tables: int | None = None
    rows: int | None = None
    rows_estimated: bool = False
    size_bytes: int | None = None
    file: str = ""
    stood_in: tuple[StoodIn, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    collections: int | None = None
    documents: int | None = None


@dataclass
class AreaResults:
    """What one area found, proved and made. Filled by its notebook, read by the report."""

    area: str
    title: str
    looked_at: LookedAt | None = None
    findings: list[Finding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _AREA.match(self.area):
            raise BadInput(f"area {self.area!r} is not a name: use a-z, 0-9 and _, starting with a letter")

    def add_findings(self, findings: Iterable[Finding]) -> None:
        """Add *findings*; one that is there already (the same id) is replaced."""
        by_id = {found.id: found for found in [*self.findings, *findings]}
        self.findings = list(by_id.values())

    def add_fact(self, label: str, value: Any, note: str = "") -> None:
        self.facts.append(Fact(label, value, note))

    def add_proof(
        self,
        claim: str,
        outcome: Outcome | bool,
        engine: str,
        *,
        detail: str = "",
        why_not: str = "",
        how_to: str = "",
    ) -> None:
        """Add a claim with its outcome; a bool stands for proved or refuted.

        Raises BadInput for an outcome that is none, and for ``not proved`` without a reason.
        """
        if isinstance(outcome, bool):
            outcome = "proved" if outcome else "refuted"
        if outcome not in OUTCOMES:
            raise BadInput(f"outcome {outcome!r} of {claim!r} is none of {', '.join(OUTCOMES)}")
        if outcome == "not proved" and not why_not:
            raise BadInput(f"{claim!r} is not proved: say why in why_not")
        self.proofs.append(Proof(claim, outcome, engine, detail, why_not, how_to))

    def add_artifact(
        self,
        name: str,
        content: str | bytes,
        description: str,
        *,
        media_type: str = "",
        cover: bool = False,
    ) -> Artifact:
        """Keep *content* as a file beside the report. The artifact's name is *name* made safe and unique."""
        name = _unique(safe_name(name), {made.name for made in self.artifacts})
        media_type = media_type or mimetypes.guess_type(name)[0] or "application/octet-stream"
        made = Artifact(self.area, name, description, media_type, cover)
        self._contents[name] = content.encode() if isinstance(content, str) else bytes(content)
        self.artifacts.append(made)
        return made

    def as_dict(self) -> dict[str, Any]:
        """The results as plain data, as they stand in results/<area>.json."""
        return {
            "area": self.area,
            "title": self.title,
            "looked_at": asdict(self.looked_at) if self.looked_at else None,
            "findings": [found.as_dict() for found in self.findings],
            "facts": [asdict(fact) for fact in self.facts],
            "proofs": [asdict(proof) for proof in self.proofs],
            "artifacts": [asdict(made) for made in self.artifacts],
        }

    def save(self, folder: Path | str | None = None) -> Path:
        """Write <folder>/results/<area>.json and the files under <folder>/artifacts/<area>/.

        Without *folder*, the one that the runner names, else ``report``. The JSON is written last
        and at once, so that who reads the folder sees all of an area or nothing of it.
        """
        root = Path(folder) if folder is not None else Path(os.environ.get(RESULTS_VARIABLE) or "report")
        for name, content in self._contents.items():
            _write(root / "artifacts" / self.area / name, content)
        saved = root / "results" / f"{self.area}.json"
        _write(saved, as_json(self.as_dict()).encode())
        return saved


def load_results(folder: Path | str) -> list[AreaResults]:
    """The results that were saved in *folder*, in the order of their areas.

    Raises BadInput where a file is not what `AreaResults.save` writes.
    """
    return [_loaded(path) for path in sorted((Path(folder) / "results").glob("*.json"))]


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """*findings*, the worst first, then by check and object."""
    return sorted(
        findings, key=lambda found: (SEVERITIES.index(found.severity), found.area, found.check, found.object)
    )


def safe_name(name: str) -> str:
    """*name* as a file name that means the same on every file system: no separator, no leading dot."""
    plain = unicodedata.normalize("NFC", name)
    plain = _UNSAFE.sub("_", plain).strip("_.-") or "unnamed"
    if _RESERVED.match(plain):
        plain = f"_{plain}"
    stem, dot, suffix = plain.rpartition(".")
    if not dot or len(suffix) > 10:
        return _cut(plain, 150)
    return f"{_cut(stem, 140)}.{suffix}"


def _cut(text: str, size_bytes: int) -> str:
    return text.encode()[:size_bytes].decode(errors="ignore")


def _unique(name: str, taken: set[str]) -> str:
    # case folded: macOS does not tell Users.sql from users.sql
    folded = {other.casefold() for other in taken}
    stem, dot, suffix = name.rpartition(".")
    candidate, number = name, 1
    while candidate.casefold() in folded:
        number += 1
        candidate = f"{stem}-{number}.{suffix}" if dot else f"{name}-{number}"
    return candidate


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _loaded(path: Path) -> AreaResults:
    try:
        data = json.loads(path.read_bytes())
        return AreaResults(
            area=data["area"],
            title=data["title"],
            looked_at=_looked_at(data["looked_at"]),
            findings=[_finding(each) for each in data["findings"]],
            facts=[Fact(**each) for each in data["facts"]],
            proofs=[Proof(**each) for each in data["proofs"]],
            artifacts=[Artifact(**each) for each in data["artifacts"]],
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"{path} holds no results of the workbench: {exc!r}") from exc


def _looked_at(data: Mapping[str, Any] | None) -> LookedAt | None:
    if data is None:
        return None
    return replace(
        LookedAt(**data),
        schemas=tuple(data["schemas"]),
        stood_in=tuple(StoodIn(**{**each, "lines": tuple(each["lines"])}) for each in data["stood_in"]),
        left_out=tuple(LeftOut(**each) for each in data["left_out"]),
    )


def _finding(data: Mapping[str, Any]) -> Finding:
    fields = {key: value for key, value in data.items() if key != "id"}
    return Finding(**{**fields, "evidence": tuple(Evidence(**each) for each in data["evidence"])})
