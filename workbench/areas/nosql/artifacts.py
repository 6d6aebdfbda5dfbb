"""What the architect takes home: pictures, validators, fixes, attempts, the design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from workbench.areas.nosql.designing import Designed, add_design_artifacts
from workbench.areas.nosql.examine import Reviewed
from workbench.areas.nosql.proofs import Proofs
from workbench.documents.mongosh import plain_json
from workbench.documents.shape import shape_as_dict
from workbench.proof.documents.bad_documents import ValidatorAttempt
from workbench.proof.files import facts_csv, fixes_script
from workbench.proof.plain import as_json
from workbench.proof.results import AreaResults

_MOST_PICTURES = 50


class Drawn(Protocol):
    """A picture, such as `workbench.diagrams.shape_tree` draws."""

    @property
    def svg(self) -> str: ...


def add_artifacts(
    results: AreaResults,
    reviewed: Reviewed,
    proofs: Proofs,
    designed: Designed,
    pictures: Mapping[str, Drawn],
) -> None:
    """Add to *results* the files of what was seen, tried and designed."""
    for number, (name, picture) in enumerate(list(pictures.items())[:_MOST_PICTURES]):
        results.add_artifact(
            f"shape-{name}.svg", picture.svg, f"the shape of {name}", cover=number == 0 and len(pictures) == 1
        )
    if reviewed.shapes:
        schema = {name: shape_as_dict(shape) for name, shape in reviewed.shapes.items()}
        results.add_artifact("schema.json", as_json(schema), "counts of every field path and type")
    if reviewed.validators:
        results.add_artifact(
            "validators.json", as_json(plain_json(reviewed.validators)), "the suggested validators"
        )
    if reviewed.findings:
        script = fixes_script(reviewed.findings, comment="//")
        results.add_artifact("fixes.js", script, "the fixes, to be read and then run")
    if proofs.validators:
        attempts = facts_csv(ValidatorAttempt, proofs.validators)
        results.add_artifact("validators.csv", attempts, "the attempt on each rule")
    add_design_artifacts(results, designed)
