"""What a notebook says of itself, read without running it: title, question, parameters."""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.proof.runs import SQL_SOURCES, Notebook, Parameter
from workbench.sql import asset_root

SOURCE_KINDS = {
    "example": "the example",
    "file": "a .sql file",
    "database": "a PostgreSQL database",
    "collections": "a MongoDB database",
    "dump": "a dump of collections",
}
_NAME = re.compile(r"\d+_(?P<area>[a-z][a-z0-9]*)(_|\Z)")
_MARKUP = re.compile(r"[*_`]+(?=\S)|(?<=\S)[*_`]+")


def available(folder: Path | None = None) -> list[Notebook]:
    """The notebooks of *folder*, by default the workbench's own, in the order of their names."""
    root = folder or asset_root("notebooks")
    return [read(path) for path in sorted(root.glob("*.ipynb"))]


def select(notebooks: Sequence[Notebook], wanted: Sequence[str]) -> list[Notebook]:
    """Those of *notebooks* whose area or name is *wanted*; all where nothing is.

    Raises BadInput for an area that no notebook is of.
    """
    known = {notebook.area for notebook in notebooks} | {notebook.name for notebook in notebooks}
    for each in wanted:
        if each not in known:
            areas = ", ".join(dict.fromkeys(notebook.area for notebook in notebooks))
            raise BadInput(f"there is no area {each!r}{did_you_mean(each, known)} (areas: {areas})")
    return [each for each in notebooks if not wanted or {each.area, each.name} & set(wanted)]


def for_source(
    notebooks: Sequence[Notebook], kind: str, wanted: Sequence[str]
) -> tuple[list[Notebook], list[Notebook]]:
    """Those of *notebooks* that can look at a source of *kind*, and those that cannot.

    Raises BadInput where one that is *wanted* by name cannot, and where none can.
    """
    able = [each for each in notebooks if kind in each.sources]
    unable = [each for each in notebooks if kind not in each.sources]
    if unable and (wanted or not able):
        names = ", ".join(each.name for each in unable)
        others = f": --only {','.join(each.area for each in able)} can" if able else ""
        raise BadInput(f"{names}: cannot look at a source of this kind ({SOURCE_KINDS[kind]}){others}")
    return able, unable


def did_you_mean(name: str, known: Sequence[str] | set[str] | frozenset[str]) -> str:
    """``: did you mean 'source'?`` where something of *known* is close to *name*, else nothing."""
    close = get_close_matches(name, sorted(known), n=1)
    return f": did you mean {close[0]!r}?" if close else ""


def read(path: Path) -> Notebook:
    """The notebook at *path*. Raises BadInput where it is none."""
    try:
        book = json.loads(path.read_bytes())
        cells = book["cells"]
        title, question = _heading(cells)
        sources = book.get("metadata", {}).get("workbench", {}).get("sources", SQL_SOURCES)
    except (ValueError, KeyError, TypeError) as exc:
        raise BadInput(f"{path} is no notebook: {exc}") from exc
    except OSError as exc:
        raise BadInput(f"{path}: cannot be read: {exc.strerror}") from exc
    named = _NAME.match(path.stem)
    return Notebook(
        name=path.stem,
        area=named["area"] if named else path.stem,
        title=title or path.stem,
        question=question,
        path=path,
        parameters=_parameters(cells, path),
        sources=tuple(sources),
    )


def source(cell: dict[str, Any]) -> str:
    """A cell's source; the format allows a text and a list of lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def _heading(cells: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """The first heading and the paragraph beneath it, without Markdown's marks."""
    prose = "\n\n".join(source(cell) for cell in cells if cell["cell_type"] == "markdown")
    head, _, rest = prose.partition("# ")
    if head.strip("#\n "):
        return "", ""
    title, _, rest = rest.partition("\n")
    paragraph = next((part for part in re.split(r"\n\s*\n", rest.strip()) if part.strip()), "")
    return _plain(title), "" if paragraph.startswith("#") else _plain(paragraph)


def _plain(text: str) -> str:
    return _MARKUP.sub("", " ".join(text.split()))


def _parameters(cells: Sequence[dict[str, Any]], path: Path) -> tuple[Parameter, ...]:
    for cell in cells:
        if cell["cell_type"] == "code" and "parameters" in cell.get("metadata", {}).get("tags", ()):
            try:
                return tuple(parameters_of(source(cell)))
            except (SyntaxError, ValueError) as exc:
                raise BadInput(f"{path}: the cell tagged parameters cannot be read: {exc}") from exc
    return ()


def parameters_of(text: str) -> Iterator[Parameter]:
    """The assignments of *text*, a parameters cell; help is the comment on the line, else those above it."""
    comments = _comments(text)
    for statement in ast.parse(text).body:
        assigned = _assignment(statement)
        if assigned is None:
            continue
        name, annotation, value = assigned
        default = ast.literal_eval(value)
        kind, optional = _type(annotation, default)
        yield Parameter(name, default, kind, _help(comments, statement), optional)


def _assignment(statement: ast.stmt) -> tuple[str, str, ast.expr] | None:
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id, "", statement.value
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
        return statement.target.id, ast.unparse(statement.annotation), statement.value
    return None


def _type(annotation: str, default: Any) -> tuple[str, bool]:
    """The name of the type, and whether None is allowed: ``int | None`` gives int, True."""
    parts = [part.strip() for part in annotation.split("|") if part.strip()]
    optional = default is None or "None" in parts
    named = [re.sub(r"\[.*", "", part) for part in parts if part != "None"]
    if named:
        return named[0], optional
    return ("str" if default is None else type(default).__name__), optional


def _comments(text: str) -> dict[int, tuple[str, bool]]:
    """By line: the comment's text, and whether it has the line to itself."""
    found = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            found[token.start[0]] = (
                token.string.lstrip("# ").strip(),
                not token.line[: token.start[1]].strip(),
            )
    return found


def _help(comments: dict[int, tuple[str, bool]], statement: ast.stmt) -> str:
    beside = [text for line, (text, alone) in comments.items() if not alone and _spans(statement, line)]
    if beside:
        return " ".join(beside)
    above: list[str] = []
    line = statement.lineno - 1
    while comments.get(line, ("", False))[1]:
        above.insert(0, comments[line][0])
        line -= 1
    return " ".join(above)


def _spans(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or statement.lineno)
