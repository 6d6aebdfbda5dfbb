"""The bypass probes: attempts to get around a design, each tried for real and taken back."""

from __future__ import annotations

from collections.abc import Collection

from workbench.areas.security.attacks.model import Attempt
from workbench.areas.security.attacks.probes.catalogue import PROBES
from workbench.areas.security.attacks.probes.scene import Scene
from workbench.areas.security.attacks.probes.story import Chapter, leak_story
from workbench.areas.security.trial.model import Target

__all__ = ["PROBES", "Chapter", "leak_story", "probe_attempts"]


def probe_attempts(
    target: Target, *, only: Collection[str] | None = None, left_out: list[str] | None = None
) -> list[Attempt]:
    """What became of each probe (of the numbers in *only*, by default all) against *target*.

    *left_out* receives one line for each probe that the target has nothing for. A probe that the
    programme itself cannot run is an attempt that ``failed``, never a silent pass.
    """
    scene = Scene(target, target.place.server.connect(target.database))
    try:
        attempts = [
            each for probe in PROBES if only is None or probe.number in only for each in probe.attempts(scene)
        ]
    finally:
        scene.conn.close()
    if left_out is not None:
        left_out += scene.left_out
    return attempts
