"""Roles, privileges, row security and tokens: made from an intent, applied and undone in one transaction."""

from workbench.areas.security.design.applying import apply_design, undo_design
from workbench.areas.security.design.found import Found, read_found
from workbench.areas.security.design.making import design_of
from workbench.areas.security.design.tokens import (
    TokenKey,
    install_token_key,
    new_key,
    retire_token_key,
    sign_token,
)

__all__ = [
    "Found",
    "TokenKey",
    "apply_design",
    "design_of",
    "install_token_key",
    "new_key",
    "read_found",
    "retire_token_key",
    "sign_token",
    "undo_design",
]
