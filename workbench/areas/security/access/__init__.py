"""Who has which rights in a database as it is."""
