"""The report as a folder of pages that need nothing but themselves."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from workbench.proof.plain import as_json
from workbench.proof.results import OUTCOMES, Artifact, load_results
from workbench.proof.runs import NotebookRun
from workbench.report.cleaning import clean_svg
from workbench.report.context import ReportContext
from workbench.report.overview import Overview
from workbench.report.pages import Page, page
from workbench.report.rendering import render
from workbench.report.summary import summary


@dataclass(frozen=True)
class _Cover:
    artifact: Artifact
    picture: Markup


def write_site(out: Path, runs: Sequence[NotebookRun], context: ReportContext) -> Path:
    """Write index.html, a page a run, findings.json and summary.md into *out*; the path of index.html.

    *out* holds what the runs saved: results/, artifacts/, notebooks/.
    """
    order = [run.notebook.area for run in runs]
    results = sorted(
        load_results(out), key=lambda each: order.index(each.area) if each.area in order else len(order)
    )
    overview = Overview(tuple(results))
    for run in runs:
        _write_page(out, run, runs, context)
    (out / "findings.json").write_text(
        as_json([each.as_dict() for each in overview.findings]), encoding="utf-8"
    )
    (out / "summary.md").write_text(summary(overview, runs, context), encoding="utf-8")
    index = out / "index.html"
    index.write_text(_index(out, overview, runs, context), encoding="utf-8")
    return index


def _index(out: Path, overview: Overview, runs: Sequence[NotebookRun], context: ReportContext) -> str:
    return render(
        "index.html.j2",
        overview=overview,
        runs=runs,
        context=context,
        current="index",
        troubled=[run for run in runs if not run.ok],
        changed=any(looked.stood_in or looked.left_out for looked in overview.looked_at),
        proofs=[
            (outcome, claims)
            for outcome in OUTCOMES
            if outcome != "not proved" and (claims := overview.with_outcome(outcome))
        ],
        titles={area.area: area.title for area in overview.areas},
        covers=_covers(out, overview),
    )


def _covers(out: Path, overview: Overview) -> list[_Cover]:
    found = []
    for number, made in enumerate(each for each in overview.artifacts if each.cover):
        content = (out / "artifacts" / made.area / made.name).read_bytes()
        if made.media_type == "image/svg+xml":
            drawn = clean_svg(content, prefix=f"cover-{number}-", label=made.description)
        else:
            data = base64.b64encode(content).decode("ascii")
            drawn = (
                f'<img src="data:{escape(made.media_type)};base64,{data}" alt="{escape(made.description)}">'
            )
        found.append(_Cover(made, Markup(drawn)))  # noqa: S704 - cleaned or escaped above
    return found


def _write_page(out: Path, run: NotebookRun, runs: Sequence[NotebookRun], context: ReportContext) -> None:
    made = page(run.path, run.name) if run.path.is_file() else Page()
    for name, drawn in made.pictures.items():
        (out / "pictures").mkdir(exist_ok=True)
        (out / "pictures" / name).write_text(drawn, encoding="utf-8")
    values = [
        (each.name, run.parameters.get(each.name, each.default), each.help)
        for each in run.notebook.parameters
    ]
    html = render(
        "page.html.j2", page=made, run=run, runs=runs, context=context, current=run.name, values=values
    )
    (out / f"{run.name}.html").write_text(html, encoding="utf-8")
