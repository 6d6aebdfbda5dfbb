"""How large documents of a design are, from the statistics of the rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from workbench.documents.design.model import CollectionDesign, Design, Nested, Part, field_name
from workbench.documents.design.statistics import Statistics

ELEMENT_BYTES = 5  # of an array's element: type, index, end of the name
DAYS_WITHOUT_GROWTH = math.inf


@dataclass
class Sizes:
    """Estimates for the collections of one design; bytes are BSON, before compression."""

    design: Design
    statistics: Statistics
    _bytes: dict[tuple[CollectionDesign, str], float] = field(default_factory=dict)

    def documents(self, collection: CollectionDesign) -> float:
        if collection.kind == "rows":
            return float(self.statistics.table(collection.part.table).rows)
        fan_out = self.statistics.fan_out(collection.relationship)  # type: ignore[arg-type]
        with_children = fan_out.parents * (1 - fan_out.childless)
        if collection.skip:
            return with_children * fan_out.share_beyond(collection.skip)
        return max(
            with_children, fan_out.children / collection.bound + with_children / 2 * (fan_out.mean > 1)
        )

    def mean_bytes(self, collection: CollectionDesign) -> float:
        return self._of(collection, "mean")

    def largest_bytes(self, collection: CollectionDesign) -> float:
        return self._of(collection, "largest")

    def storage_bytes(self) -> float:
        return sum(self.documents(each) * self.mean_bytes(each) for each in self.design.collections)

    def _of(self, collection: CollectionDesign, which: str) -> float:
        key = (collection, which)
        if key not in self._bytes:
            self._bytes[key] = self._measure(collection, which)
        return self._bytes[key]

    def _measure(self, collection: CollectionDesign, which: str) -> float:
        row = self.part_bytes(collection.part, which)
        if collection.kind == "rows":
            return row + (0 if collection.key else 13)
        documents = self.documents(collection)
        fan_out = self.statistics.fan_out(collection.relationship)  # type: ignore[arg-type]
        children = float(fan_out.children)
        if collection.skip:
            children -= fan_out.parents * fan_out.mean_up_to(collection.skip)
        rows = min(collection.bound, max(1.0, children / documents)) if documents else 0.0
        if which == "largest":
            rows = min(collection.bound, fan_out.maximum)
        return 60 + rows * (row + ELEMENT_BYTES)

    def part_bytes(self, part: Part, which: str = "mean") -> float:
        """Bytes of an object of *part* with all that stands in it."""
        columns = self.statistics.table(part.table).column_bytes
        size = 5 + sum(
            columns[each.column] + len(each.path[-1]) - len(field_name(each.column)) for each in part.fields
        )
        size += 8 * any(len(each.path) > 1 for each in part.fields)
        size += sum(40 + 20 * len(each.sums) for each in part.computed)
        return size + sum(self.nested_bytes(nested, which) for nested in part.nested)

    def nested_bytes(self, nested: Nested, which: str = "mean") -> float:
        """Bytes of the field of *nested* with all of its objects."""
        inner = self.part_bytes(nested.part, which)
        return 7 + len(nested.name) + self.elements(nested, which) * (inner + ELEMENT_BYTES)

    def elements(self, nested: Nested, which: str = "mean") -> float:
        """How many objects of *nested* a row has."""
        if nested.shape == "object" and nested.copies:
            return 1.0
        fan_out = self.statistics.fan_out(nested.relationship)
        if which == "largest":
            return float(min(fan_out.maximum, nested.bound) if nested.bound else fan_out.maximum)
        return fan_out.mean_up_to(nested.bound) if nested.bound else fan_out.mean_of_all

    def days_to_limit(self, collection: CollectionDesign, limit: int = 16 * 1024 * 1024) -> float:
        """Days until a document of mean growth, beginning with today's largest, has *limit* bytes."""
        if collection.kind == "buckets":
            return DAYS_WITHOUT_GROWTH
        daily = self._daily_bytes(collection.part)
        return (limit - self.largest_bytes(collection)) / daily if daily else DAYS_WITHOUT_GROWTH

    def _daily_bytes(self, part: Part) -> float:
        total = 0.0
        for nested in part.nested:
            if nested.shape == "array" and not nested.bound:
                per_day = self.statistics.fan_out(nested.relationship).per_day or 0.0
                total += per_day * (self.part_bytes(nested.part) + ELEMENT_BYTES)
                total += self.elements(nested) * self._daily_bytes(nested.part)
        return total
