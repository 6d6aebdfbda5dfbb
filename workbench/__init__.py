"""A design workbench for database architects: every claim is proved on a real engine."""

__version__ = "0.1.0"
