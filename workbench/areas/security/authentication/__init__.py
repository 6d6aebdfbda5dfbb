"""Who is let in, and over what: SCRAM and TLS, each claim tried on a server of its own."""

from workbench.areas.security.authentication.model import Authentication, LoginAttempt
from workbench.areas.security.authentication.passwords import prove_passwords
from workbench.areas.security.authentication.proving import prove_authentication
from workbench.areas.security.authentication.tls import prove_tls

__all__ = ["Authentication", "LoginAttempt", "prove_authentication", "prove_passwords", "prove_tls"]
