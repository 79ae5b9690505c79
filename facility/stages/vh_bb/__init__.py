"""The stages of VH(bb) in the SMEFT behind the simulation, one module each."""
