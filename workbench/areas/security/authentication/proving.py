"""Passwords and encrypted connections, in one result."""

from __future__ import annotations

from workbench.areas.security.authentication.model import Authentication
from workbench.areas.security.authentication.passwords import prove_passwords
from workbench.areas.security.authentication.tls import prove_tls
from workbench.errors import FeatureUnavailable


def prove_authentication() -> Authentication:
    """SCRAM on the default engine, TLS on the first PostgreSQL of this machine that is built with it.

    Where none is, the result says so in *left_out*. Raises EngineError where no server starts.
    """
    attempts = prove_passwords()
    try:
        return Authentication((*attempts, *prove_tls()))
    except FeatureUnavailable as exc:
        return Authentication(attempts, (str(exc),))
