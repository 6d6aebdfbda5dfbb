"""Other people's psql scripts, loaded into a scratch database without trusting them."""

from workbench.script.load import LoadReport, as_loader, loaded_script
from workbench.script.sanitize import LeftOut, digest
from workbench.script.stand_ins import StandIn

__all__ = ["LeftOut", "LoadReport", "StandIn", "as_loader", "digest", "loaded_script"]
