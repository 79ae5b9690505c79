"""Selected events and their scores as arrays."""
