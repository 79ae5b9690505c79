"""Misidentified leptons: factors measured in columns, and the events of the estimate."""
