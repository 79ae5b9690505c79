"""V(qq)H(WW→ℓνℓν) against its backgrounds, as in M. Basso, CAP 2020."""
