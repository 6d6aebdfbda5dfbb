"""An executed notebook as the body of a page: prose, tables and pictures first, code folded."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from workbench.errors import OutputError
from workbench.report.cleaning import clean_html, clean_svg, width_pt

_TEMPLATES = Path(__file__).parent / "templates"
_HIDDEN_TAGS = frozenset({"parameters", "injected-parameters", "papermill-error-cell-tag", "remove-cell"})
_SHOWN = (
    "text/html",
    "image/svg+xml",
    "image/png",
    "image/jpeg",
    "text/markdown",
    "text/latex",
    "text/plain",
)
_HEADING = re.compile(r'<h([1-6])(?: id="([^"]*)")?>(.*?)</h\1>', re.DOTALL)
_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
WIDE_PT = 900


@dataclass(frozen=True)
class Heading:
    """A heading of a page, for the list of its contents; *html* is its escaped text."""

    level: int
    anchor: str
    html: Markup


@dataclass
class Page:
    """The body of a notebook's page. *pictures* are the wide ones, by file name; *drawn* counts all."""

    body: Markup = field(default_factory=Markup)
    headings: list[Heading] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    drawn: int = 0

    @property
    def has_title(self) -> bool:
        return any(heading.level == 1 for heading in self.headings)


def page(path: Path, name: str) -> Page:
    """The executed notebook at *path* as a page; *name* is the start of its pictures' file names."""
    import nbformat

    try:
        document = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except nbformat.reader.NotJSONError as exc:
        raise OutputError(
            f"{path.name}: the executed notebook was cut short, as it is where no space is left: "
            "free some, or name another folder with --out"
        ) from exc
    document.cells = [cell for cell in document.cells if _is_shown(cell)]
    for cell in document.cells:
        failed = any(output.output_type == "error" for output in cell.get("outputs", ()))
        cell.metadata["workbench_failed"] = failed
        cell.metadata["workbench_not_run"] = cell.get("execution_count", 0) is None
        if "remove-output" in _tags(cell) and not failed:
            cell.outputs = []
    made = Page()
    body, _ = _exporter(made, name).from_notebook_node(document)
    made.body = Markup(body)  # noqa: S704 - every part was escaped or cleaned by the filters below
    return made


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def _is_shown(cell: Any) -> bool:
    return not _HIDDEN_TAGS & set(_tags(cell)) and bool(cell.source.strip() or cell.get("outputs"))


def _exporter(made: Page, name: str) -> Any:
    """nbconvert with our template. Its HTMLExporter would parse the whole page once more, for seconds."""
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters.highlight import Highlight2HTML
    from traitlets.config import Config

    exporter: Any = TemplateExporter(  # type: ignore[no-untyped-call]
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        template_name="notebook",
        extra_template_basedirs=[str(_TEMPLATES)],
        file_extension=".html",
        preprocessors=[],
    )
    exporter.log.setLevel("CRITICAL")
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer="ipython3"))  # type: ignore[no-untyped-call]
    exporter.register_filter("clean_html", clean_html)
    exporter.register_filter("prose", partial(_prose, made))
    exporter.register_filter("picture", partial(_picture, made, name))
    exporter.register_filter("bitmap", _bitmap)
    return exporter


def _prose(made: Page, source: str) -> str:
    """Markdown as HTML, cleaned; its headings become anchors that no other heading of the page has."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    taken = {heading.anchor for heading in made.headings}

    def anchored(found: re.Match[str]) -> str:
        level, text = int(found[1]), found[3]
        wanted = re.sub(r"[^\w-]+", "-", unescape(re.sub(r"<[^>]+>", "", text))).strip("-").lower() or "part"
        anchor, number = f"s-{wanted}", 1
        while anchor in taken:
            number += 1
            anchor = f"s-{wanted}-{number}"
        taken.add(anchor)
        made.headings.append(Heading(level, anchor, Markup(re.sub(r"</?a\b[^>]*>", "", text))))  # noqa: S704 - cleaned
        return f'<h{level} id="{anchor}">{text}</h{level}>'

    renderer = IPythonRenderer(
        escape=False, exclude_anchor_links=True
    )  # cleaned below, so that <br> may stand
    html = clean_html(MarkdownWithMath(renderer=renderer).render(source))
    return _TABLE.sub(r'<div class="scroll" tabindex="0">\g<0></div>', _HEADING.sub(anchored, html))


def _picture(made: Page, name: str, source: str, output: Any) -> str:
    """An SVG inside the page; a wide one is linked to a file of its own, too, where it can be enlarged."""
    made.drawn += 1
    alt = _alt(output)
    try:
        drawn = clean_svg(source, prefix=f"{name}-{made.drawn}-", label=alt)
    except ValueError as exc:
        return f'<p class="note">{escape(f"A picture could not be shown: {exc}")}</p>'
    return figure(drawn, _kept(made, f"{name}-{made.drawn}.svg", drawn))


def _kept(made: Page, file: str, drawn: str) -> str:
    if width_pt(drawn) <= WIDE_PT:
        return ""
    made.pictures[file] = drawn
    return f"pictures/{file}"


def figure(drawn: str, link: str = "") -> str:
    """*drawn*, a clean SVG or an img element, with a link to its own file where there is one."""
    more = (
        f'<figcaption><a href="{escape(link)}">Open the picture at its full size</a></figcaption>'
        if link
        else ""
    )
    return f'<figure class="picture"><div class="canvas" tabindex="0">{drawn}</div>{more}</figure>'


def _bitmap(source: str, output: Any, media_type: str) -> str:
    data = base64.b64encode(base64.b64decode(source)).decode("ascii")  # nothing but its alphabet
    return figure(f'<img src="data:{media_type};base64,{data}" alt="{escape(_alt(output))}">')


def _alt(output: Any) -> str:
    """What a picture says in words: its text output, unless that is just an object's name."""
    text = str(output.data.get("text/plain", "")).strip().strip("'\"")
    return "Picture" if not text or text.startswith("<") else text.splitlines()[0][:300]
