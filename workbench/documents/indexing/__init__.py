"""Indexes for operations on documents: what they lack, what they would save, and trying them on a copy."""
