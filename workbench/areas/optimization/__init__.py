"""Optimization: which indexes, which statements, which structure, each recommendation proved."""
