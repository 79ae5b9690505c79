"""Canonical events: the collections and fields of NanoAOD in GeV, whatever the format, read when touched."""

from znought.processors.canonical.events import CanonicalEvents, canonical_events
from znought.processors.canonical.source import Settings
from znought.processors.canonical.varied import varied_events

__all__ = ["CanonicalEvents", "Settings", "canonical_events", "varied_events"]
