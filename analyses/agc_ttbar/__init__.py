"""tt̄ → ℓ + jets, as in the Analysis Grand Challenge of IRIS-HEP."""
