"""Sherpa behind the interface that Pythia has: run cards, kept integrations, a process of its own."""
