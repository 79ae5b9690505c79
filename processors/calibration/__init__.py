"""Official calibrations of objects, out of correctionlib files."""
