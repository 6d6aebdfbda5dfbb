"""The leak hunt: planted secrets looked for wherever a server and a report write."""

from workbench.areas.security.leaks.design import design_hunt
from workbench.areas.security.leaks.ground import hunt_run, hunting_ground
from workbench.areas.security.leaks.hunting import hunt
from workbench.areas.security.leaks.model import Hunt, Marker, Sighting
from workbench.areas.security.leaks.mongodb import MongoGround, mongo_hunt_run
from workbench.areas.security.leaks.postgres import PostgresGround
from workbench.areas.security.leaks.probes import naive_probes, sealed_probes

__all__ = [
    "Hunt",
    "Marker",
    "MongoGround",
    "PostgresGround",
    "Sighting",
    "design_hunt",
    "hunt",
    "hunt_run",
    "hunting_ground",
    "mongo_hunt_run",
    "naive_probes",
    "sealed_probes",
]
