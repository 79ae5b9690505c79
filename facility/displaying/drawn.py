"""A selected event as the figure takes it: objects of the detector, and the variables of its row."""

from collections.abc import Iterator

import awkward as ak
import numpy as np

from znought.analysis import Variable
from znought.facility.cards.base import Card
from znought.facility.displaying.found import SelectedEvent
from znought.plots.event_display import DisplayedEvent, DisplayedObject
from znought.plots.labels import feature_label
from znought.processors.chunk import Chunk
from znought.processors.kinematics import delta_r
from znought.processors.plugin import nominal_events

__all__ = ["displayed"]

_JET_PT_MIN_GEV = 20.0
_OVERLAP = 0.4


def displayed(card: Card, found: SelectedEvent, chunk: Chunk) -> DisplayedEvent:
    """Identified leptons, jets above 20 GeV that are none of them, missing momentum, and the inputs.

    Args:
        card: whose calibrations and working points hold.
        found: the event.
        chunk: of its entry alone.
    """
    events = nominal_events(chunk, card.request)
    event = events.array[0]
    leptons = [*_leptons(event)]
    where = ", ".join(filter(None, (found.dataset, found.channel, str(found.numbers))))
    return DisplayedEvent(
        name=where,
        objects=(*leptons, *_jets(event, leptons)),
        met=(float(event.MET.pt), float(event.MET.phi)),
        facts=tuple(_facts(card, found)),
    )


def _leptons(event: ak.Record) -> Iterator[DisplayedObject]:
    for kind, collection in (("electron", event.Electron), ("muon", event.Muon)):
        for one in collection[collection.is_tight]:
            yield DisplayedObject(kind, float(one.pt), float(one.eta), float(one.phi))


def _jets(event: ak.Record, leptons: list[DisplayedObject]) -> Iterator[DisplayedObject]:
    jets = event.Jet[event.Jet.is_good & (event.Jet.pt > _JET_PT_MIN_GEV)]
    for one in jets:
        eta, phi = float(one.eta), float(one.phi)
        if all(delta_r(eta, phi, lepton.eta, lepton.phi) > _OVERLAP for lepton in leptons):
            yield DisplayedObject("b-jet" if one.is_btagged else "jet", float(one.pt), eta, phi)


def _facts(card: Card, found: SelectedEvent) -> Iterator[str]:
    """Variables that are inputs or binned, in order, with their values."""
    names = card.features or tuple(card.binned)
    for name in names:
        variable, value = card.variables.get(name), found.columns.get(name)
        if variable is not None and value is not None:
            yield f"{feature_label(name).symbol} = {_value(variable, float(value))}"


def _value(variable: Variable, value: float) -> str:
    """With its unit, or that the variable is not defined.

    >>> _value(Variable("m", unit="GeV", bins=(1, 0.0, 1.0), undefined=-1.0), -1.0)
    'undefined'
    """
    if variable.undefined is not None and value == np.float32(variable.undefined):
        return "undefined"
    return f"{value:.4g} {variable.unit}".rstrip()
