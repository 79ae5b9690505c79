"""The stages behind the simulation, one module each: read files, write files, know nothing of one another."""
