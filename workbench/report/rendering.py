"""The templates, with everything that is put into them escaped."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from workbench.report import overview

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """The text of *template* with *values*, escaped where the template is HTML."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        counted=overview.counted,
        duration=overview.duration,
        line_numbers=overview.line_numbers,
        size=overview.size,
        words=overview.words,
        sql=highlighted_sql,
    )
    environment.globals.update(
        style=Markup(_asset("report.css") + _pygments_css()),  # noqa: S704 - our own file
        script=Markup(_asset("report.js")),  # noqa: S704 - our own file
        policy=content_policy(),
        severity_words=overview.SEVERITY_WORDS,
    )
    return environment


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def content_policy() -> str:
    """The pages' content security policy: our one script by its hash, no other, and nothing loaded."""
    digest = base64.b64encode(hashlib.sha256(_asset("report.js").encode()).digest()).decode("ascii")
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'sha256-{digest}'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def highlighted_sql(text: str) -> Markup:
    """*text* as highlighted HTML; JSON, which a fix may be, too."""
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]

    language = "json" if text.lstrip().startswith(("{", "[")) else "postgresql"
    formatter = HtmlFormatter(nowrap=True)
    return Markup(highlight(text.strip(), get_lexer_by_name(language), formatter).rstrip("\n"))  # noqa: S704 - escaped by pygments


def _pygments_css() -> str:
    """The colours of code, for light and for dark: of pygments, the ones with a contrast of 4.5 on ours."""
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="xcode").get_style_defs([".code", ".sql"])
    dark = HtmlFormatter(style="monokai").get_style_defs([".code", ".sql"])
    plain = "\n.code,.sql{background:none}.code .err,.sql .err{border:0;color:inherit;background:none}\n"
    return f"\n{light}\n@media screen and (prefers-color-scheme:dark){{\n{dark}\n}}{plain}"
