"""Canonical events: the collections and fields of NanoAOD in GeV, whatever the format, read when touched."""

from znought.processors.canonical.calibrated import calibrated_events, measured_makers
from znought.processors.canonical.events import CanonicalEvents, canonical_events
from znought.processors.canonical.source import Settings
from znought.processors.canonical.varied import varied_events

__all__ = [
    "CanonicalEvents",
    "Settings",
    "calibrated_events",
    "canonical_events",
    "measured_makers",
    "varied_events",
]
