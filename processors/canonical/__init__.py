"""Canonical events: the collections and fields of NanoAOD in GeV, whatever the format, read when touched."""

from znought.processors.canonical.calibrated import calibrated_events, calibrated_source, measured_makers
from znought.processors.canonical.events import (
    CanonicalEvents,
    canonical_events,
    canonical_source,
    catalogue_of,
)
from znought.processors.canonical.leptons import lepton_makers, lepton_source, leptons_calibrated
from znought.processors.canonical.source import Settings, Source
from znought.processors.canonical.varied import varied_events, varied_source

__all__ = [
    "CanonicalEvents",
    "Settings",
    "Source",
    "calibrated_events",
    "calibrated_source",
    "canonical_events",
    "canonical_source",
    "catalogue_of",
    "lepton_makers",
    "lepton_source",
    "leptons_calibrated",
    "measured_makers",
    "varied_events",
    "varied_source",
]
