"""The declared intent: who may do what to which rows and columns, as data."""
