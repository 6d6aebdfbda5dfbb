"""The example as a database of collections: how it is designed, and how it is filled from the shop."""
