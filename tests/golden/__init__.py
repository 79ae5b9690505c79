"""Numbers that a redesign must keep: frozen from a small sample of each shipped analysis."""
