"""The main job: a source in, a report out."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from workbench import __version__, notebooks
from workbench.documents.source import require_documents
from workbench.engines.mongo import mongo_engine
from workbench.engines.postgres import Server, engine
from workbench.errors import FeatureUnavailable
from workbench.proof.results import load_results
from workbench.proof.runs import SQL_SOURCES, Notebook, NotebookRun
from workbench.report import ReportContext, staged, write_site
from workbench.source import Options, Source, resolve, shared_source


@dataclass(frozen=True)
class MadeReport:
    """Where the report is, what it says in a line, and which notebooks did not end well."""

    index: Path
    summary: str
    failed: tuple[str, ...]
    interrupted: bool


def make_report(
    spec: str,
    options: Options | None = None,
    *,
    only: Sequence[str] = (),
    out: Path = Path("report"),
    parameters: Mapping[str, str] | None = None,
    jobs: int = 1,
) -> MadeReport:
    """Run the notebooks of the areas *only* (or all) against the source *spec*; the report goes to *out*.

    *parameters* are the notebooks' own, as text; what they say of the source counts before *options*.
    Raises SourceError, ParameterError and OutputError before anything is started; a notebook that
    fails does not stop the others.
    """
    chosen = notebooks.select(notebooks.available(), only)
    given = _typed(chosen, parameters or {})
    spec = given.pop("source", spec)
    options = _merged(options or Options(), given)
    chosen, unable = notebooks.for_source(chosen, resolve(spec).kind, only)
    if resolve(spec).kind not in SQL_SOURCES:
        require_documents(spec, timeout_s=options.timeout_s)
    started = time.monotonic()
    began = datetime.now(UTC)
    with (
        staged(out) as staging,
        _engines(chosen, spec) as (server, engines),
        shared_source(spec, server, options) as source,
    ):
        values = _values(chosen, source, options, given)
        with notebooks.progress_display(Console()) as listener:
            runs = notebooks.run(chosen, values, staging, jobs=jobs, on_progress=listener)
        context = ReportContext(
            title=source.title,
            command=_command(source, options, only, parameters or {}),
            version=__version__,
            engines=engines,
            started=began,
            elapsed_s=time.monotonic() - started,
            settings=_settings(source, options),
            left_out=tuple(each.title for each in unable),
        )
        write_site(staging, runs, context)
        summary = _summary(staging, runs)
    return MadeReport(
        index=out / "index.html",
        summary=f"{out / 'index.html'}: {summary}",
        failed=tuple(run.name for run in runs if run.outcome == "failed"),
        interrupted=any(run.outcome == "interrupted" for run in runs),
    )


def _typed(chosen: Sequence[Notebook], parameters: Mapping[str, str]) -> dict[str, Any]:
    """*parameters* by name, each of the type that the first notebook which knows it gives it."""
    typed: dict[str, Any] = {}
    for values in notebooks.check_parameters(chosen, parameters).values():
        typed = {**values, **typed}
    return typed


def _merged(options: Options, given: Mapping[str, Any]) -> Options:
    known = {each.name for each in fields(Options)}
    return Options(**{**asdict(options), **{name: value for name, value in given.items() if name in known}})


def _values(
    chosen: Sequence[Notebook], source: Source, options: Options, given: Mapping[str, Any]
) -> notebooks.ParameterValues:
    """What each notebook is run with: the source, how it is opened, and what the caller gave."""
    everything = {**given, **_settings(source, options), "source": source.spec}
    return {
        each.name: {name: value for name, value in everything.items() if name in each.parameter_names}
        for each in chosen
    }


def _settings(source: Source, options: Options) -> dict[str, Any]:
    """The options that matter for a source of this kind."""
    names = {
        "example": ("scale", "seed", "timeout_s"),
        "file": ("strict", "encoding", "timeout_s"),
        "database": ("timeout_s", "lock_timeout_s"),
        "collections": ("timeout_s",),
        "dump": (),
    }[source.kind]
    values = asdict(options)
    return {name: values[name] for name in names if values[name] is not None}


_OPTION_NAMES = {"timeout_s": "timeout"}


def _command(source: Source, options: Options, only: Sequence[str], parameters: Mapping[str, str]) -> str:
    """The line that makes this report again; it carries no secret."""
    words = ["workbench", "report", "--source", source.spec]
    defaults = asdict(Options())
    for name, value in _settings(source, options).items():
        if value != defaults[name]:
            words.append(f"--{_OPTION_NAMES.get(name, name)}")
            words += [] if value is True else [str(value)]
    if only:
        words += ["--only", ",".join(only)]
    for name, text in parameters.items():
        if name not in defaults and name != "source":
            words += ["-p", f"{name}={text}"]
    return shlex.join(words)


@contextlib.contextmanager
def _engines(chosen: Sequence[Notebook], spec: str) -> Iterator[tuple[Server | None, tuple[str, ...]]]:
    """The engines that *chosen* will use, held for the block so that they start once.

    PostgreSQL where the source is one of SQL, and the descriptions of all.
    """
    with contextlib.ExitStack() as stack:
        server, descriptions = None, []
        if resolve(spec).kind in SQL_SOURCES:
            server = stack.enter_context(engine())
            descriptions.append(server.description)
        if any(each.area == "nosql" for each in chosen):
            try:
                descriptions.append(stack.enter_context(mongo_engine()).description)
            except FeatureUnavailable as exc:  # its notebook goes on, and says what it could not prove
                descriptions.append(f"no MongoDB: {exc}")
        yield server, tuple(descriptions)


def _summary(folder: Path, runs: Sequence[NotebookRun]) -> str:
    results = load_results(folder)
    findings = [finding for area in results for finding in area.findings]
    proofs = [proof for area in results for proof in area.proofs]
    parts = [
        f"{sum(run.ok for run in runs)} of {len(runs)} notebooks ran",
        f"{len(findings)} findings ({sum(finding.verified for finding in findings)} proved)",
        f"{sum(proof.outcome == 'proved' for proof in proofs)} of {len(proofs)} claims proved",
    ]
    return ", ".join(parts)
