"""VH(bb) in the SMEFT: c̄_HW (and c̄_HB) in 0, 1 and 2 leptons, as in arXiv:1902.05803."""
