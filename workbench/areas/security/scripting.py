"""The design of an intent as a script for the very database that was looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.areas.security.design import design_of, read_found
from workbench.areas.security.design.found import Found
from workbench.areas.security.design.model import Design
from workbench.areas.security.ground import proposed_intent, security_ground
from workbench.areas.security.intent.reading import read_intent
from workbench.catalog.reflect import reflect
from workbench.errors import EngineError
from workbench.source import OpenSource


def scripted_design(opened: OpenSource, intent: Path | None = None) -> Design:
    """The design for *opened*, whose owners and privileges it takes into account; nothing is attacked.

    A named database is read alone. Its login is who will run the script, or, where that may make no roles,
    the database's owner, and a remark says so. Of an example or a file the design is made, and applied once,
    in a private cluster. Raises BadInput where the intent does not fit or the design cannot be.
    """
    if opened.source.kind != "database":
        with security_ground(opened, intent) as ground:
            design = ground.hardened.design
        if design is None:
            raise EngineError("the copy has no design")
        return design
    catalog = reflect(opened.connection)
    declared = read_intent(intent, catalog) if intent else proposed_intent(opened)
    found = read_found(opened.connection)
    by = _runs_it(found)
    design = design_of(declared, catalog, by, replace=True)
    if by is found:
        return design
    remark = f"{found.deployer} may not create roles: let {by.deployer} run this, allowed to create roles"
    return replace(design, remarks=(remark, *design.remarks))


def _runs_it(found: Found) -> Found:
    if found.create_role or found.superuser:
        return found
    return replace(found, deployer=found.database_owner, create_role=True)
