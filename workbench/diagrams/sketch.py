"""One picture of tables and relations as DOT statements: who stands where, and which port a line leads to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

from workbench.catalog.model import Table, qualified
from workbench.diagrams import cards
from workbench.diagrams.cards import Detail, Palette
from workbench.diagrams.relations import Relation, TableKey

_TANGLED_RELATIONS = 150  # above this many, a layout takes seconds: one is tried


def key_of(table: Table) -> TableKey:
    return table.schema, table.name


def counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class Sketch:
    """The DOT statements of one picture: nodes by number, so that no name becomes syntax."""

    def __init__(
        self,
        chosen: Sequence[Table],
        drawn: Sequence[Relation],
        outside: Collection[TableKey],
        detail: Detail,
        palettes: Mapping[str, Palette],
        *,
        group_by_schema: bool,
    ) -> None:
        self.chosen, self.drawn, self.outside, self.detail = chosen, drawn, sorted(outside), detail
        self.schemas = sorted({table.schema for table in chosen})
        self.grouped = group_by_schema and len(self.schemas) > 1
        self.palettes = palettes
        self.nodes = {key: f"n{number}" for number, key in enumerate([*map(key_of, chosen), *self.outside])}
        touching: dict[TableKey, list[Relation]] = {key: [] for key in self.nodes}
        for relation in drawn:
            for key in {relation.child, relation.parent}:
                touching[key].append(relation)
        self.cards = {
            key_of(table): cards.card(self.nodes[key_of(table)], table, detail, touching[key_of(table)])
            for table in chosen
        }
        self.scale = max(1.0, (len(chosen) / 15) ** 0.5)

    @property
    def spreads(self) -> tuple[tuple[int, int], ...]:
        """The layouts worth a try: how many ranks a parent's children, a child's parents spread over."""
        if len(self.drawn) > _TANGLED_RELATIONS:
            return ((2, 1),)
        return ((1, 1), (2, 1), (3, 1), (5, 1), (1, 2), (2, 2))

    def dot(self, heading: str, legend: Sequence[str], spread: tuple[int, int]) -> str:
        return cards.digraph(self._body(*spread), heading=heading, legend=legend, scale=self.scale)

    def _body(self, children_over: int, parents_over: int) -> list[str]:
        statements = self._nodes()
        statements += [cards.outside_card(self.nodes[key], key) for key in self.outside]
        children: Counter[TableKey] = Counter()
        parents: Counter[TableKey] = Counter()
        for number, relation in enumerate(self.drawn):
            if relation.child != relation.parent:
                length = (
                    1 + children[relation.parent] % children_over + parents[relation.child] % parents_over
                )
                statements.append(self._edge(number, relation, length))
                children[relation.parent] += 1
                parents[relation.child] += 1
        return statements

    def _nodes(self) -> list[str]:
        if not self.grouped:
            return self._members(self.chosen)
        statements = []
        for number, schema in enumerate(self.schemas):
            body = self._members([table for table in self.chosen if table.schema == schema])
            statements.append(
                cards.cluster(str(number), schema, self.palettes[schema], body, scale=self.scale)
            )
        return statements

    def _members(self, members: Sequence[Table]) -> list[str]:
        """The cards of *members*, and what stands among them alone: their relations to themselves."""
        show_schema = len(self.schemas) > 1 and not self.grouped
        keys = {key_of(table) for table in members}
        statements = [
            self.cards[key_of(table)].dot(self.palettes[table.schema], show_schema=show_schema)
            for table in members
        ]
        for number, relation in enumerate(self.drawn):
            if relation.child == relation.parent and relation.child in keys:
                statements += self._loop(number, relation)
        return statements + self._rows_of_unrelated(members)

    def _rows_of_unrelated(self, members: Sequence[Table]) -> list[str]:
        """Invisible edges that put tables without relations side by side instead of in one tall pile."""
        related = {key for relation in self.drawn for key in (relation.child, relation.parent)}
        alone = [self.nodes[key_of(table)] for table in members if key_of(table) not in related]
        width = max(1, round((len(alone) * 1.5) ** 0.5))
        return [
            f"{left} -> {right} [style=invis];"
            for number, (left, right) in enumerate(pairwise(alone), start=1)
            if number % width
        ]

    def _edge(self, number: int, relation: Relation, minlen: int) -> str:
        parent = self.cards.get(relation.parent)
        tail = (
            cards.outside_end(self.nodes[relation.parent], optional=relation.parent_optional)
            if parent is None
            else parent.parent_end(relation.referenced_columns, optional=relation.parent_optional)
        )
        head = self.cards[relation.child].child_end(relation.columns)
        color = self._color(relation)
        return cards.crows_foot(relation, tail, head, name=f"e{number}", color=color, minlen=minlen)

    def _loop(self, number: int, relation: Relation) -> list[str]:
        card = self.cards[relation.child]
        downwards = (card.row(relation.referenced_columns) or 0) <= (card.row(relation.columns) or 0)
        return cards.crows_foot_to_itself(
            relation,
            card.parent_end(relation.referenced_columns, optional=relation.parent_optional),
            card.own_end(relation.columns),
            name=f"e{number}",
            turn=f"t{number}",
            downwards=downwards,
            color=self._color(relation),
        )

    def _color(self, relation: Relation) -> str:
        """Of several schemas, the colour of the one referred to, so that long lines can be followed."""
        schema = relation.parent[0]
        return self.palettes[schema].edge if len(self.schemas) > 1 and schema in self.palettes else cards.EDGE

    def tooltips(self) -> dict[str, str]:
        words = {self.nodes[key]: qualified(*key) for key in self.outside}
        for table in self.chosen:
            comment = f": {table.comment}" if table.comment else ""
            words[self.nodes[key_of(table)]] = (
                f"{table.qualified}, {counted(len(table.columns), 'column')}{comment}"
            )
        for number, relation in enumerate(self.drawn):
            words[f"e{number}"] = words[f"e{number}b"] = relation.sentence
        return {name: cards.visible(text) for name, text in words.items()}
