"""The look of a diagram: tables as cards, areas as boxes, keys as crow's feet, written as DOT.

Everything that comes from a catalog passes `shown` before it enters a label.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import chain, repeat
from typing import Literal

from workbench.catalog.model import Column, Table
from workbench.diagrams.layout import FONT
from workbench.diagrams.relations import Relation, TableKey, unique_keys

Detail = Literal["full", "keys", "names"]

COLUMNS_SHOWN = 30  # of one table, keys first; the others are counted in a last row
_NAME_LENGTH = 63  # of PostgreSQL's names none is cut
_TYPE_LENGTH = 30

_INK = "#0f172a"
_MUTED = "#64748b"
EDGE = "#475569"
_TYPE_ALIASES = (
    (re.compile(r"\bcharacter varying\b"), "varchar"),
    (re.compile(r"\bcharacter\b"), "char"),
    (re.compile(r"\bbit varying\b"), "varbit"),
    (re.compile(r"\bdouble precision\b"), "double"),
    (re.compile(r"\btimestamp(\(\d\))? with time zone"), r"timestamptz\1"),
    (re.compile(r"\btimestamp(\(\d\))? without time zone"), r"timestamp\1"),
    (re.compile(r"\btime(\(\d\))? with time zone"), r"timetz\1"),
    (re.compile(r"\btime(\(\d\))? without time zone"), r"time\1"),
)


@dataclass(frozen=True)
class Palette:
    """The colours of one schema: *ground* behind its tables, *header* with *ink* on it, *line*, *edge*."""

    ground: str
    header: str
    line: str
    ink: str
    edge: str


PALETTES = (
    Palette("#f3f7fe", "#cfe0fc", "#7ea6e8", "#1e3a8a", "#2f5fb3"),
    Palette("#f1faf6", "#c3ead9", "#6fb89b", "#064e3b", "#1f7a5c"),
    Palette("#fdf8ee", "#f8e1b0", "#d2a850", "#713f12", "#9a6a14"),
    Palette("#f7f5fe", "#dcd5fa", "#a292e3", "#4c1d95", "#6d54b8"),
    Palette("#fdf4f5", "#f9d0d6", "#dc8c99", "#881337", "#b04a5d"),
    Palette("#f0fafb", "#bde6ee", "#63b2c2", "#164e63", "#2b7d90"),
    Palette("#f6f9ee", "#d9e9b4", "#9dba5f", "#365314", "#5f7f23"),
    Palette("#f5f6f8", "#d7dde6", "#94a3b8", "#1e293b", "#475569"),
)


def palettes(schemas: Iterable[str]) -> dict[str, Palette]:
    """A palette a schema, by the order of their names; they repeat after the eighth."""
    return {name: PALETTES[number % len(PALETTES)] for number, name in enumerate(sorted(set(schemas)))}


def shown(text: str, limit: int = _NAME_LENGTH) -> str:
    """*text* as a label may hold it: short, visible, and escaped for Graphviz's HTML and its backslashes."""
    core = text.strip(" ")
    start = text.find(core) if core else len(text)
    marked = "␣" * start + core + "␣" * (len(text) - start - len(core))
    return escape(visible(shortened(marked, limit))).replace("\\", "\\\\")


def shortened(text: str, limit: int = _NAME_LENGTH) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(text: str) -> str:
    """*text* with controls and marks of direction written as escapes (``\\t``, ``\\u202e``): none acts."""
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if character in "\u200c\u200d":  # scripts and emoji need these joiners
        return character
    odd = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    no_character = ord(character) & 0xFFFE == 0xFFFE
    return character.encode("unicode_escape").decode() if odd or no_character else character


def short_type(column: Column) -> str:
    """The type of *column* by its short name; what lies beneath a domain, how many labels an enum has."""
    name = column.type.removeprefix("public.")
    for pattern, alias in _TYPE_ALIASES:
        name = pattern.sub(alias, name)
    if column.enum_labels:
        return f"{shortened(name, 18)} · enum of {len(column.enum_labels)}"
    if column.domain is not None:
        base = column.base_type
        for pattern, alias in _TYPE_ALIASES:
            base = pattern.sub(alias, base)
        return f"{shortened(name, 18)} · {base}"
    return name


@dataclass(frozen=True)
class Card:
    """A table as drawn: a rounded card with a header and, unless *detail* is "names", a row a column.

    *node* is its name in the DOT text; *marks* give the badges of each key column ("PK", "FK2", "U");
    *forked* are the columns whose children differ in whether they need this parent, so that a line
    end of each kind needs a port of its own.
    """

    node: str
    table: Table
    detail: Detail
    marks: Mapping[str, tuple[str, ...]]
    forked: frozenset[str]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns that have a row, in table order: keys before others where not all fit."""
        if self.detail == "names":
            return ()
        candidates = [
            column for column in self.table.columns if self.detail == "full" or column.name in self.marks
        ]
        first = sorted(candidates, key=lambda column: column.name not in self.marks)[:COLUMNS_SHOWN]
        kept = {column.name for column in first}
        return tuple(column for column in candidates if column.name in kept)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {column.name: number for number, column in enumerate(self.columns)}

    def child_end(self, columns: Sequence[str]) -> str:
        """Where the line of the key *columns* of this table ends: left of the first that has a row."""
        row = self.row(columns)
        return f"{self.node}:w" if row is None else f"{self.node}:l{row}:w"

    def parent_end(self, columns: Sequence[str], *, optional: bool) -> str:
        """Where a line that refers to *columns* begins: right of them, each kind at a port of its own."""
        row = self.row(columns)
        fork = "ab"[optional] if self.forked & {columns[0] if columns else ""} or row is None else ""
        return f"{self.node}:r{'' if row is None else row}{fork}:e"

    def own_end(self, columns: Sequence[str]) -> str:
        """Where the line of a key to the table itself ends: right of the first column that has a row."""
        row = self.row(columns)
        return f"{self.node}:ra:e" if row is None else f"{self.node}:r{row}:e"

    def row(self, columns: Sequence[str]) -> int | None:
        """The number of the row of the first of *columns* that has one."""
        return next((self._rows[name] for name in columns if name in self._rows), None)

    def dot(self, palette: Palette, *, show_schema: bool) -> str:
        """The node statement, in the colours of *palette*."""
        name = f"{self.table.schema}.{self.table.name}" if show_schema else self.table.name
        rows = [] if self.detail == "names" else [*self._row_labels()]
        return _node(self.node, name, palette, rows, size=13 if self.detail == "full" else 15)

    def _row_labels(self) -> Iterable[str]:
        for number, column in enumerate(self.columns):
            yield _column_row(
                number,
                column,
                self.marks.get(column.name, ()),
                typed=self.detail == "full",
                forked=column.name in self.forked,
            )
        left = len(self.table.columns) - len(self.columns)
        if left:
            yield (
                f'<tr><td colspan="4" align="left" cellpadding="2"><font color="{_MUTED}" point-size="10">'
                f"  … {left:,} more</font></td></tr>"
            )
        yield _PADDING_ROW


def card(node: str, table: Table, detail: Detail, found: Sequence[Relation]) -> Card:
    """The card of *table*, with the badges and ports that its relations among *found* ask for."""
    key = (table.schema, table.name)
    needed = {
        (column, relation.parent_optional)
        for relation in found
        if relation.parent == key
        for column in relation.referenced_columns[:1]
    }
    forked = frozenset(column for column, optional in needed if (column, not optional) in needed)
    return Card(
        node, table, detail, _marks(table, [each.columns for each in found if each.child == key]), forked
    )


def _marks(table: Table, foreign_keys: Sequence[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The badges of each key column; a composite key's number is on all of its columns."""
    key = table.primary_key
    primary = key.columns if key else ()
    marks: dict[str, list[str]] = {column: ["PK"] for column in primary}
    unique = [columns for columns in unique_keys(table) if set(columns) != set(primary)]
    for prefix, keys in (("FK", list(dict.fromkeys(foreign_keys))), ("U", unique)):
        numbered = any(len(columns) > 1 for columns in keys)
        for number, columns in enumerate(keys, start=1):
            for column in columns:
                marks.setdefault(column, []).append(f"{prefix}{number}" if numbered else prefix)
    return {column: tuple(dict.fromkeys(names)) for column, names in marks.items()}


def outside_card(node: str, key: TableKey) -> str:
    """The DOT node of a table that is not of the picture's: its name only, in a dashed frame."""
    name = shown(f"{key[0]}.{key[1]}")
    label = (
        f'<table border="1" cellborder="0" cellspacing="0" cellpadding="6" style="rounded,dashed" '
        f'color="{_MUTED}" bgcolor="white"><tr><td><font color="{_MUTED}">{name}</font></td>'
        f'<td cellpadding="0">{_fork("r")}</td></tr></table>'
    )
    return f'{node} [id="{node}" label=<{label}>];'


def outside_end(node: str, *, optional: bool) -> str:
    """Where a line that refers to the outside table *node* begins."""
    return f"{node}:r{'ab'[optional]}:e"


def area_box(node: str, heading: str, lines: Sequence[str], palette: Palette) -> str:
    """The DOT node of a subject area: its name, and *lines* on what it holds."""
    rows = [
        f'<tr><td align="left" cellpadding="2"><font color="{color}">  {shown(line)}  </font></td></tr>'
        for color, line in zip(chain([_INK], repeat(_MUTED)), lines, strict=False)
    ]
    return _node(node, heading, palette, [*rows, _PADDING_ROW])


def area_edge(child: str, parent: str, count: int, *, name: str) -> str:
    """The DOT edge between two areas: *count* foreign keys of *child* lead to *parent*."""
    width = 1 + min(count, 40) ** 0.5 / 2
    return (
        f'{parent} -> {child} [id="{name}" dir=back arrowtail=normal arrowsize=0.7 penwidth={width:.2f} '
        f'color="{_MUTED}a0" label=" {count} " fontsize=11 fontcolor="{EDGE}"];'
    )


def crows_foot(
    relation: Relation, tail: str, head: str, *, name: str, color: str = EDGE, minlen: int = 1
) -> str:
    """The DOT edge of *relation* from its parent's end *tail* to its child's *head* ("node:port:side")."""
    parent, child = _line_ends(relation)
    return (
        f'{tail} -> {head} [id="{name}" dir=both arrowtail={parent} arrowhead={child} '
        f'color="{color}" minlen={minlen}{_dashes(relation)}];'
    )


def crows_foot_to_itself(
    relation: Relation, tail: str, head: str, *, name: str, turn: str, downwards: bool, color: str = EDGE
) -> list[str]:
    """The DOT edges of a *relation* of a table to itself, by way of a turning point *turn* beside the table.

    Graphviz's own loops are as wide as the rank and run behind the next table.
    """
    parent, child = _line_ends(relation)
    first, last = ("n", "s") if downwards else ("s", "n")
    common = f'dir=back weight=20 headclip=false color="{color}"{_dashes(relation)}'
    return [
        f'{turn} [shape=box penwidth=0 width=0.017 height=0.13 style=filled label="" color="{color}"];',
        f'{tail} -> {turn}:{first} [id="{name}" arrowtail={parent} {common}];',
        f'{head} -> {turn}:{last} [id="{name}b" arrowtail={child} {common}];',
    ]


def _line_ends(relation: Relation) -> tuple[str, str]:
    """Graphviz's arrows at the parent's and at the child's end of *relation*."""
    parent = "crowtee" if relation.over_time else "teeodot" if relation.parent_optional else "teetee"
    return parent, "crowodot" if relation.child_many else "teeodot"


def _dashes(relation: Relation) -> str:
    return " style=dashed" if relation.doubt else ""


def cluster(name: str, label: str, palette: Palette, body: Sequence[str], *, scale: float = 1) -> str:
    """The DOT cluster of a schema: a quiet rounded ground with the schema's name."""
    inner = "\n    ".join(body)
    return (
        f'subgraph "cluster_{name}" {{\n'
        f'    graph [id="c{name}" style="rounded,filled" fillcolor="{palette.ground}" '
        f'color="{palette.line}" penwidth=0.6 margin=18 labeljust=l fontsize={15 * scale:.0f} '
        f'label=<<font color="{palette.ink}"><b>{shown(label)}</b></font>>];\n    {inner}\n  }}'
    )


def digraph(body: Sequence[str], *, heading: str, legend: Sequence[str], scale: float = 1) -> str:
    """The whole DOT text, with *heading* and *legend* at the upper left, *scale* times as large as usual."""
    lines = [f'<font point-size="{20 * scale:.0f}" color="{_INK}"><b>{shown(heading, 90)}</b></font>']
    lines += [
        f'<font point-size="{11 * scale:.0f}" color="{_MUTED}">{shown(line, 160)}</font>' for line in legend
    ]
    rows = "".join(f'<tr><td align="left">{line}</td></tr>' for line in lines)
    rows += '<tr><td height="10"></td></tr>'
    label = f'<table border="0" cellborder="0" cellspacing="0" cellpadding="2">{rows}</table>'
    inner = "\n  ".join(body)
    return (
        "digraph {\n"
        f'  graph [rankdir=LR bgcolor=white pad=0.3 nodesep=0.3 ranksep=0.75 fontname="{FONT}" '
        f'pack=24 packmode="node" nslimit=8 mclimit=2 labelloc=t labeljust=l label=<{label}>];\n'
        f'  node [shape=plain fontname="{FONT}" fontsize=12];\n'
        f'  edge [fontname="{FONT}" color="{EDGE}" penwidth=1.2 arrowsize=0.9];\n'
        f"  {inner}\n}}\n"
    )


_PADDING_ROW = '<tr><td colspan="4" height="4" cellpadding="0"></td></tr>'


def _node(node: str, name: str, palette: Palette, rows: Sequence[str], *, size: int = 14) -> str:
    """A card's node statement; without *rows* the header alone, with a port for each kind of line end."""
    fork = "" if rows else f'<td cellpadding="0">{_fork("r")}</td>'
    header = (
        '<tr><td colspan="4" cellpadding="3">'
        '<table border="0" cellborder="0" cellspacing="0" cellpadding="4" style="rounded" '
        f'bgcolor="{palette.header}"><tr><td align="left"><font color="{palette.ink}" point-size="{size}">'
        f"<b>{shown(name)}  </b></font></td></tr></table></td>{fork}</tr>"
    )
    label = (
        f'<table border="1" cellborder="0" cellspacing="0" cellpadding="0" style="rounded" '
        f'color="{palette.line}" bgcolor="white">{header}{"".join(rows)}</table>'
    )
    return f'{node} [id="{node}" label=<{label}>];'


def _column_row(number: int, column: Column, marks: Sequence[str], *, typed: bool, forked: bool) -> str:
    dot = "○" if column.nullable else "●"
    name = shown(column.name)
    padding = 3 if typed else 2
    typing = f'<font color="{_MUTED}">  {shown(short_type(column), _TYPE_LENGTH)}</font>' if typed else ""
    badges = f"<b>  {' '.join(marks)}</b>" if marks else ""
    port = "" if forked else f' port="r{number}" colspan="2"'
    fork = f'<td cellpadding="0">{_fork(f"r{number}")}</td>' if forked else ""
    return (
        f'<tr><td port="l{number}" align="left" cellpadding="{padding}">'
        f'<font color="{_MUTED}" point-size="9">  {dot}  </font>'
        f'<font color="{_INK}">{f"<b>{name}</b>" if "PK" in marks else name}</font></td>'
        f'<td align="left" cellpadding="{padding if typed else 0}">{typing}</td>'
        f'<td align="right" cellpadding="{padding}"{port}>'
        f'<font color="{EDGE}" point-size="9">{badges}  </font></td>{fork}</tr>'
    )


def _fork(port: str) -> str:
    """Two ports one above the other: *port*a for children that need this parent, *port*b for others."""
    rows = "".join(f'<tr><td port="{port}{kind}" width="1" height="11"></td></tr>' for kind in "ab")
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="0">{rows}</table>'
