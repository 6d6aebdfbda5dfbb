"""A private cluster in which a design is applied and attacked."""
