"""Statistics: significances, binning, cross-fitting, templates, fits and their exchange formats."""
