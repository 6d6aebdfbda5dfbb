"""A planted secret, the places where it is looked for, and what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from workbench.errors import BadInput

_SHORTEST = 8  # bytes; a shorter secret turns up by chance

Content: TypeAlias = Iterator[tuple[str, bytes]]  # where in the place, and what is there
PlaceReader: TypeAlias = Callable[[], Content]
Places: TypeAlias = Mapping[str, PlaceReader]


@dataclass(frozen=True)
class Marker:
    """A secret that occurs nowhere else, and how it was *planted*.

    A control is planted in the naive way and must be found in each place of *must_be_in*: where it is not,
    the hunt of that place proves nothing. Any other marker must be found in no place at all, but those of
    *may_be_in*, where it is kept on purpose and is not looked for.
    """

    name: str
    secret: bytes = field(repr=False)
    planted: str
    must_be_in: frozenset[str] = frozenset()
    may_be_in: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if len(self.secret) < _SHORTEST:
            raise BadInput(
                f"the marker {self.name!r} has {len(self.secret)} bytes: "
                f"under {_SHORTEST} it is found by chance"
            )

    @property
    def is_control(self) -> bool:
        return bool(self.must_be_in)

    def is_hunted_in(self, place: str) -> bool:
        """Whether finding it there, or not finding it, says anything."""
        return place in self.must_be_in if self.is_control else place not in self.may_be_in


@dataclass(frozen=True)
class Sighting:
    """Whether *marker* was seen in *place*, in which encoding and *where*, and whether it should be."""

    place: str
    marker: str
    planted: str
    found: bool
    expected: bool
    encoding: str = ""
    where: str = ""

    @property
    def as_expected(self) -> bool:
        return self.found == self.expected


@dataclass(frozen=True)
class Hunt:
    """What was seen on *engine*; *left_out* says which places could not be searched and why."""

    engine: str
    sightings: tuple[Sighting, ...]
    searched_bytes: Mapping[str, int]
    left_out: tuple[str, ...] = ()

    @property
    def leaks(self) -> tuple[Sighting, ...]:
        """Secrets that were seen and should not be."""
        return tuple(each for each in self.sightings if each.found and not each.expected)

    @property
    def missing_controls(self) -> tuple[Sighting, ...]:
        """Places in which the control was not seen: nothing is proved of them."""
        return tuple(each for each in self.sightings if each.expected and not each.found)

    @property
    def uncontrolled(self) -> tuple[str, ...]:
        """Places that were searched without any control planted in them."""
        controlled = {each.place for each in self.sightings if each.expected}
        return tuple(place for place in self.searched_bytes if place not in controlled)

    @property
    def proved(self) -> bool:
        """Whether no secret was seen, every control was, and every place had one."""
        return not (self.leaks or self.missing_controls or self.uncontrolled)
