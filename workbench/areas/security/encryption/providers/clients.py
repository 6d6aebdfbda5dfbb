"""The services' client libraries, which come with the extra ``kms``."""

from __future__ import annotations

import importlib
from typing import Any

from workbench.errors import FeatureUnavailable


def client_library(module: str, service: str) -> Any:
    """The module *module*. Raises FeatureUnavailable where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise FeatureUnavailable(
            service,
            "this installation",
            hint=f"its client {module} comes with: pip install 'database-workbench[kms]'",
        ) from None
