"""The hunt: every place read once, every marker looked for in every encoding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workbench.areas.security.leaks.encodings import encodings
from workbench.areas.security.leaks.model import Content, Hunt, Marker, Places, Sighting
from workbench.errors import BadInput, FeatureUnavailable


def hunt(places: Places, markers: Sequence[Marker], *, engine: str = "") -> Hunt:
    """Look for each of *markers* in each of *places*.

    A marker that is no control has a sighting, or the absence of one, in every place; a control in those it
    must be in. A place that this engine lacks is in `Hunt.left_out`.
    """
    if len({each.name for each in markers}) < len(markers):
        raise BadInput("two markers have the same name: a sighting could be of either")
    sightings: list[Sighting] = []
    searched: dict[str, int] = {}
    left_out: list[str] = []
    for place, read in places.items():
        wanted = [each for each in markers if each.is_hunted_in(place)]
        try:
            seen, searched[place] = _seen(read, wanted)
        except FeatureUnavailable as exc:
            left_out.append(f"{place}: {exc}")
            continue
        for marker in wanted:
            encoding, where = seen.get(marker.name, ("", ""))
            sightings.append(
                Sighting(
                    place,
                    marker.name,
                    marker.planted,
                    marker.name in seen,
                    place in marker.must_be_in,
                    encoding,
                    where,
                )
            )
    return Hunt(engine, tuple(sightings), searched, tuple(left_out))


def _seen(read: Callable[[], Content], markers: Sequence[Marker]) -> tuple[dict[str, tuple[str, str]], int]:
    seen: dict[str, tuple[str, str]] = {}
    forms = {each.name: encodings(each.secret) for each in markers}
    searched = 0
    for where, content in read():
        searched += len(content)
        for name in [name for name in forms if name not in seen]:
            found = next((encoding for form, encoding in forms[name].items() if form in content), None)
            if found:
                seen[name] = (found, where)
    return seen, searched
