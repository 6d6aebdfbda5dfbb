"""One package an area; areas never import each other."""
