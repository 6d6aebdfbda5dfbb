"""Entity-relationship diagrams of a catalog: one picture where it can be read, else an overview and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from workbench.catalog.model import Catalog, Table, qualified
from workbench.diagrams import cards, layout
from workbench.diagrams.cards import Detail, Palette
from workbench.diagrams.communities import READABLE_TABLES, communities
from workbench.diagrams.picture import Picture
from workbench.diagrams.relations import Relation, TableKey, degree, relations, roots
from workbench.diagrams.sketch import Sketch, counted, key_of
from workbench.errors import BadInput, SchemaNotFound

PICTURE_TABLES = 120  # above this many tables, or above
PICTURE_RELATIONS = 250  # this many relations of more than 25 tables, an overview is drawn instead
_KEYS_TABLES = 80  # above this many, names only
_FULL_ROWS = 260  # above this many columns in all, keys only
_OUTSIDE_TABLES = 20  # tables of other areas that a picture shows by name
_DOUBTS_TOLD = 5
_AREA_BOXES = 60
_AREA_LINES = 90
_SCREEN = (16.0, 9.0)
_LEGEND_COLUMNS = (
    "● not null   ○ may be null   PK primary key   FK foreign key   U unique   "
    "(a number marks the columns of one key)"
)
_LEGEND_LINES = (
    "Line ends say how many rows: bar one, ring none, crow's foot many; two bars: exactly one.   "
    "Dashed: does not hold for every row."
)
_LEGEND_AREAS = (
    "A box is a subject area; an arrow leads from the area that refers to the one referred to, "
    "with the number of foreign keys."
)


@dataclass(frozen=True)
class Diagram(Picture):
    """A picture of *tables* and the *relations* drawn between them."""

    tables: int = 0
    relations: int = 0


@dataclass(frozen=True)
class SubjectArea:
    """Tables that belong together: a schema, or a part of one whose tables refer to each other.

    *relations* counts the foreign keys inside; *diagram* is drawn when first asked for.
    """

    name: str
    schema: str
    tables: tuple[Table, ...]
    relations: int
    catalog: Catalog = field(repr=False, compare=False)

    @cached_property
    def diagram(self) -> Diagram:
        """The tables of the area; those of others that they refer to by name only."""
        return entity_relationships(self.catalog, tables=self.tables, title=self.name)


def entity_relationships(
    catalog: Catalog,
    *,
    schemas: Sequence[str] | None = None,
    tables: Sequence[Table | TableKey] | None = None,
    detail: Literal["auto", "full", "keys", "names"] = "auto",
    group_by_schema: bool = True,
    title: str | None = None,
) -> Diagram:
    """The tables of *catalog* (of *schemas*, or just *tables*) and what its foreign keys say of them.

    *detail* "auto" shows all columns up to 25 tables, keys up to 80, names above. Above 120 tables (or
    250 relations of more than 25) an overview of the subject areas takes the picture's place. Partitions are
    folded into their root; views are left out. Raises SchemaNotFound, BadInput, DrawingFailed.
    """
    if detail not in ("auto", "full", "keys", "names"):
        raise BadInput(f"detail {detail!r} is not one of auto, full, keys, names")
    chosen = _chosen(catalog, schemas, tables)
    found = relations(catalog)
    title = title or catalog.database
    notes = _omissions(catalog, schemas, tables)
    if not chosen:
        return _nothing(title, notes)
    inside = _inside(found, chosen)
    tangled = len(inside) > PICTURE_RELATIONS and len(chosen) > READABLE_TABLES
    if len(chosen) > PICTURE_TABLES or tangled:
        return _overview(catalog, chosen, found, title, notes)
    level = _level(chosen, detail)
    palettes = cards.palettes(table.schema for table in catalog.base_tables)
    return _picture(chosen, found, level, palettes, group_by_schema=group_by_schema, title=title, notes=notes)


def subject_areas(catalog: Catalog, *, schemas: Sequence[str] | None = None) -> list[SubjectArea]:
    """The tables of *catalog* in areas of at most 25: a schema, or what foreign keys hold together in it."""
    return _areas(catalog, _chosen(catalog, schemas, None), relations(catalog))


def _chosen(
    catalog: Catalog, schemas: Sequence[str] | None, tables: Sequence[Table | TableKey] | None
) -> list[Table]:
    """The tables to draw, ordered by schema and name; a partition stands for its root."""
    for name in schemas or ():
        if name not in catalog.schemas:
            has = ", ".join(catalog.schemas) or "no tables in any schema"
            raise SchemaNotFound(f"schema {name!r} is not in database {catalog.database!r}: it has {has}")
    named = None if tables is None else _named(catalog, tables)
    return sorted(
        (
            table
            for table in catalog.base_tables
            if (schemas is None or table.schema in schemas) and (named is None or key_of(table) in named)
        ),
        key=key_of,
    )


def _named(catalog: Catalog, tables: Sequence[Table | TableKey]) -> set[TableKey]:
    drawn = roots(catalog)
    keys = [key_of(each) if isinstance(each, Table) else (each[0], each[1]) for each in tables]
    for key in keys:
        if key not in drawn:
            raise BadInput(f"table {qualified(*key)} is not in database {catalog.database!r}")
    return {drawn[key] for key in keys}


def _inside(found: Iterable[Relation], chosen: Iterable[Table]) -> list[Relation]:
    keys = {key_of(table) for table in chosen}
    return [relation for relation in found if relation.child in keys and relation.parent in keys]


def _level(chosen: Sequence[Table], detail: Literal["auto", "full", "keys", "names"]) -> Detail:
    if detail != "auto":
        return detail
    rows = sum(min(len(table.columns), cards.COLUMNS_SHOWN) for table in chosen)
    if len(chosen) <= READABLE_TABLES and rows <= _FULL_ROWS:
        return "full"
    return "keys" if len(chosen) <= _KEYS_TABLES else "names"


def _omissions(
    catalog: Catalog, schemas: Sequence[str] | None, tables: Sequence[Table | TableKey] | None
) -> list[str]:
    """What of the selection no picture shows, and why; nothing where the caller named the tables."""
    if tables is not None:
        return []
    within = [table for table in catalog.tables if schemas is None or table.schema in schemas]
    partitions = sum(table.partition_of is not None for table in within)
    views = sum(table.kind in ("view", "materialized view") for table in within)
    foreign = sum(table.kind == "foreign table" and table.partition_of is None for table in within)
    held = {(table.schema, table.name) for table in catalog.tables}
    astray = sum(key.references not in held for table in within for key in table.foreign_keys)
    return [
        text
        for count, text in (
            (partitions, f"{counted(partitions, 'partition')} drawn as part of the partitioned table"),
            (views, f"{counted(views, 'view')} left out: a view has no keys"),
            (foreign, f"{counted(foreign, 'foreign table')} left out: the rows are on another server"),
            (astray, f"{counted(astray, 'foreign key')} left out: the catalog lacks the table referred to"),
        )
        if count
    ]


def _nothing(title: str, notes: Sequence[str]) -> Diagram:
    """A picture that says that there is nothing to draw."""
    words = "no tables"
    dot = cards.digraph([], heading=f"{title}: {words}", legend=[*notes] or ["There is nothing to draw."])
    return _drawn(
        [dot], f"{title}: {words}", {}, 0, 0, notes, alt=f"Entity-relationship diagram of {title}: {words}."
    )


def _picture(
    chosen: Sequence[Table],
    found: Sequence[Relation],
    detail: Detail,
    palettes: Mapping[str, Palette],
    *,
    group_by_schema: bool,
    title: str,
    notes: Sequence[str],
) -> Diagram:
    keys = {key_of(table) for table in chosen}
    inside = _inside(found, chosen)
    leading_out = [each for each in found if each.child in keys and each.parent not in keys]
    led_in = sum(each.parent in keys and each.child not in keys for each in found)
    outside = _most_common((each.parent for each in leading_out), _OUTSIDE_TABLES)
    to_outside = [each for each in leading_out if each.parent in outside]
    drawn = [*inside, *to_outside]
    heading = f"{title}: {counted(len(chosen), 'table')}, {counted(len(drawn), 'relation')}"
    said = [*notes, *_picture_notes(chosen, detail, outside, len(leading_out) - len(to_outside), led_in)]
    said += _doubts(drawn)
    legend = [_LEGEND_LINES] if detail == "names" else [_LEGEND_COLUMNS, _LEGEND_LINES]
    sketch = Sketch(chosen, drawn, outside, detail, palettes, group_by_schema=group_by_schema)
    dots = [sketch.dot(heading, legend, spread) for spread in sketch.spreads]
    tooltips = sketch.tooltips()
    return _drawn(dots, heading, tooltips, len(chosen), len(drawn), said, alt=_alt(heading, chosen, drawn))


def _picture_notes(
    chosen: Sequence[Table], detail: Detail, outside: Collection[TableKey], unseen: int, led_in: int
) -> list[str]:
    columns = sum(len(table.columns) for table in chosen)
    wide = [table.qualified for table in chosen if len(table.columns) > cards.COLUMNS_SHOWN]
    return [
        text
        for applies, text in (
            (detail == "keys", "types, and columns that belong to no key, left out to stay legible"),
            (
                detail == "names",
                f"{counted(columns, 'column')} left out, to stay legible: tables by name only",
            ),
            (
                detail == "full" and wide,
                f"at most {cards.COLUMNS_SHOWN} columns of a table shown, keys first: {', '.join(wide[:5])}"
                + (f" and {len(wide) - 5} more" if len(wide) > 5 else ""),
            ),
            (
                outside,
                f"{counted(len(outside), 'table')} outside this selection by name only, in dashed frames",
            ),
            (unseen, f"{counted(unseen, 'relation')} to further tables outside this selection left out"),
            (led_in, f"{counted(led_in, 'relation')} from tables outside this selection left out"),
        )
        if applies
    ]


def _doubts(drawn: Sequence[Relation]) -> list[str]:
    """Why lines are dashed: the first few, and how many more."""
    doubtful = [relation for relation in drawn if relation.doubt]
    said = [
        f"dashed: {qualified(*each.child)} ({', '.join(each.columns)}) → {qualified(*each.parent)}, "
        f"{each.doubt}"
        for each in doubtful[:_DOUBTS_TOLD]
    ]
    more = len(doubtful) - len(said)
    return [*said, *([f"dashed: {more} more that do not hold for every row"] if more > 0 else [])]


def _overview(
    catalog: Catalog, chosen: Sequence[Table], found: Sequence[Relation], title: str, notes: Sequence[str]
) -> Diagram:
    """A box for each subject area and the number of relations between them, instead of every table."""
    areas = _areas(catalog, chosen, found)
    shown, rest = areas, []
    if len(areas) > _AREA_BOXES:
        by_size = sorted(areas, key=lambda area: (-len(area.tables), area.name))
        shown, rest = by_size[:_AREA_BOXES], by_size[_AREA_BOXES:]
    home = {key_of(table): number for number, area in enumerate(shown) for table in area.tables}
    inside = _inside(found, chosen)
    links = Counter(
        (home[each.child], home[each.parent])
        for each in inside
        if each.child in home and each.parent in home and home[each.child] != home[each.parent]
    )
    lines = sorted(links, key=lambda pair: (-links[pair], pair))[:_AREA_LINES]
    counts = f"{counted(len(chosen), 'table')}, {counted(len(inside), 'relation')}"
    heading = f"{title}: {counts}, {counted(len(areas), 'subject area')}"
    said = [
        *notes,
        f"{counts}: too many for one picture, so this is an overview; each subject area has its own",
    ]
    if rest:
        left = sum(len(area.tables) for area in rest)
        said.append(f"{len(rest)} smaller areas with {counted(left, 'table')} left out")
    if len(lines) < len(links):
        weaker = sum(links.values()) - sum(links[pair] for pair in lines)
        said.append(
            f"the {len(lines)} strongest of {len(links)} links between areas drawn; "
            f"{counted(weaker, 'relation')} left out"
        )
    palettes = cards.palettes(table.schema for table in catalog.base_tables)
    dot = cards.digraph(
        _overview_body(shown, palettes, found, lines, links),
        heading=heading,
        legend=[_LEGEND_AREAS],
        scale=max(1.0, (len(shown) / 10) ** 0.5),
    )
    tooltips = {
        f"n{number}": cards.visible(", ".join(table.qualified for table in area.tables))
        for number, area in enumerate(shown)
    }
    tooltips |= {
        f"e{number}": cards.visible(
            f"{shown[child].name} → {shown[parent].name}: {counted(links[child, parent], 'foreign key')}"
        )
        for number, (child, parent) in enumerate(lines)
    }
    return _drawn([dot], heading, tooltips, len(chosen), len(inside), said, alt=_alt(heading, chosen, inside))


def _overview_body(
    areas: Sequence[SubjectArea],
    palettes: Mapping[str, Palette],
    found: Sequence[Relation],
    lines: Sequence[tuple[int, int]],
    links: Mapping[tuple[int, int], int],
) -> list[str]:
    degrees = degree(found)
    statements = []
    for number, area in enumerate(areas):
        leading = sorted(area.tables, key=lambda table: (-degrees.get(key_of(table), 0), table.name))
        names = [cards.shortened(table.name, 34) for table in leading[:4]]
        more = len(area.tables) - len(names)
        counts = f"{counted(len(area.tables), 'table')}, {counted(area.relations, 'relation')}"
        listed = [counts, *names, *([f"… {more} more"] if more else [])]
        statements.append(cards.area_box(f"n{number}", area.name, listed, palettes[area.schema]))
    statements += [
        cards.area_edge(f"n{child}", f"n{parent}", links[child, parent], name=f"e{number}")
        for number, (child, parent) in enumerate(lines)
    ]
    return statements


def _areas(catalog: Catalog, chosen: Sequence[Table], found: Sequence[Relation]) -> list[SubjectArea]:
    by_key = {key_of(table): table for table in chosen}
    degrees = degree(found)
    areas = []
    for schema in sorted({table.schema for table in chosen}):
        members = [key_of(table) for table in chosen if table.schema == schema]
        groups = [members] if len(members) <= READABLE_TABLES else communities(members, found)
        for group, name in zip(groups, _area_names(schema, groups, degrees, found), strict=True):
            tables = tuple(by_key[key] for key in group)
            areas.append(SubjectArea(name, schema, tables, len(_inside(found, tables)), catalog))
    return areas


def _area_names(
    schema: str,
    groups: Sequence[Sequence[TableKey]],
    degrees: Mapping[TableKey, int],
    found: Sequence[Relation],
) -> list[str]:
    """A name for each of the *groups* of a schema: the schema itself, its hub table, or "other tables"."""
    if len(groups) == 1:
        return [schema]
    names = []
    loose = 0
    for group in groups:
        if _holds_together(group, found):
            hub = min(group, key=lambda key: (-degrees.get(key, 0), key))
            names.append(f"{schema}: around {hub[1]}")
        else:
            loose += 1
            names.append(f"{schema}: other tables" + (f" {loose}" if loose > 1 else ""))
    return names


def _holds_together(group: Sequence[TableKey], found: Iterable[Relation]) -> bool:
    """Whether relations lead from each table of *group* to every other."""
    links: dict[TableKey, set[TableKey]] = {key: set() for key in group}
    for each in found:
        if each.child in links and each.parent in links:
            links[each.child].add(each.parent)
            links[each.parent].add(each.child)
    reached, ahead = {group[0]}, [group[0]]
    while ahead:
        new = links[ahead.pop()] - reached
        reached |= new
        ahead += new
    return len(reached) == len(group)


def _most_common(keys: Iterable[TableKey], most: int) -> set[TableKey]:
    counted = Counter(keys)
    return set(sorted(counted, key=lambda key: (-counted[key], key))[:most])


def _alt(heading: str, chosen: Sequence[Table], drawn: Sequence[Relation]) -> str:
    """The picture in two sentences: what it shows, and which tables most relations meet at."""
    degrees = degree(drawn)
    hubs = sorted(
        (key for key in map(key_of, chosen) if degrees.get(key)), key=lambda key: (-degrees[key], key)
    )[:3]
    met = ", ".join(f"{qualified(*key)} ({degrees[key]})" for key in hubs)
    return cards.visible(
        f"Entity-relationship diagram of {heading}." + (f" Most relations meet at {met}." if met else "")
    )


def _drawn(
    dots: Sequence[str],
    title: str,
    tooltips: Mapping[str, str],
    tables: int,
    drawn: int,
    notes: Sequence[str],
    *,
    alt: str,
) -> Diagram:
    """Of the layouts *dots*, the one that is largest on a screen of 16 to 9."""
    pictures = layout.draw(dots, "svg")
    best = max(range(len(dots)), key=lambda number: (_scale(layout.size_pt(pictures[number])), -number))
    svg = layout.page_svg(pictures[best], title=cards.visible(title), tooltips=tooltips)
    return Diagram(
        title=cards.visible(title),
        svg=svg,
        dot=dots[best],
        alt=alt,
        notes=tuple(map(cards.visible, notes)),
        tables=tables,
        relations=drawn,
    )


def _scale(size_pt: tuple[float, float]) -> float:
    return min(_SCREEN[0] / size_pt[0], _SCREEN[1] / size_pt[1])
