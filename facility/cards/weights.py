"""The section `weights` of a card: official scale factors by kind, or any correction of any file."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from znought.facility.cards.event_weights import ParticleWeight, PileUpWeight, PrefiringWeight
from znought.facility.cards.object_weights import (
    BTagShapeWeight,
    BTagWeight,
    ElectronWeight,
    MuonWeight,
    NamedWeight,
)
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.processors.weights import ScaleFactor

__all__ = [
    "ANY_FILE",
    "NAMED",
    "Named",
    "Weight",
    "correction_weights",
    "is_measured",
    "measured_weights",
    "named_weights",
]

NAMED: Mapping[str, type[NamedWeight]] = {
    "pileup": PileUpWeight,
    "electron": ElectronWeight,
    "muon": MuonWeight,
    "btag": BTagWeight,
    "btag_shape": BTagShapeWeight,
    "prefiring": PrefiringWeight,
    "particle": ParticleWeight,
    "trigger": TriggerWeight,
}
"""Kind → its section."""

ANY_FILE = "correction"
"""Tag of an entry that calls one correction of one file, with no kind."""


def _kind(given: Any) -> str:
    if isinstance(given, Mapping):
        return str(given.get("kind", ANY_FILE))
    return str(getattr(given, "kind", ANY_FILE))


Named = (
    PileUpWeight
    | ElectronWeight
    | MuonWeight
    | BTagWeight
    | BTagShapeWeight
    | PrefiringWeight
    | ParticleWeight
    | TriggerWeight
)
Weight = Annotated[
    Annotated[ScaleFactor, Tag(ANY_FILE)]
    | Annotated[PileUpWeight, Tag("pileup")]
    | Annotated[ElectronWeight, Tag("electron")]
    | Annotated[MuonWeight, Tag("muon")]
    | Annotated[BTagWeight, Tag("btag")]
    | Annotated[BTagShapeWeight, Tag("btag_shape")]
    | Annotated[PrefiringWeight, Tag("prefiring")]
    | Annotated[ParticleWeight, Tag("particle")]
    | Annotated[TriggerWeight, Tag("trigger")],
    Discriminator(
        _kind,
        custom_error_type="unknown_kind",
        custom_error_message=f"expected a kind out of {', '.join(NAMED)}, or a file with a correction",
    ),
]
"""An official scale factor by its kind, or one correction out of any file."""


def correction_weights(weights: Mapping[str, ScaleFactor | Named]) -> dict[str, ScaleFactor]:
    """Those that are one correction of one file."""
    return {name: one for name, one in weights.items() if isinstance(one, ScaleFactor)}


def named_weights(weights: Mapping[str, ScaleFactor | Named]) -> dict[str, Named]:
    """Those that are official scale factors by kind."""
    return {name: one for name, one in weights.items() if not isinstance(one, ScaleFactor)}


def measured_weights(weights: Mapping[str, ScaleFactor | Named]) -> dict[str, BTagWeight | TriggerWeight]:
    """Those whose efficiencies are measured by a stage of the flow."""
    found = {name: one for name, one in weights.items() if isinstance(one, BTagWeight | TriggerWeight)}
    return {name: one for name, one in found.items() if is_measured(one)}


def is_measured(weight: Named) -> bool:
    """Whether efficiencies that a weight takes are measured by a stage of the flow."""
    if isinstance(weight, BTagWeight):
        return weight.efficiency is None
    return isinstance(weight, TriggerWeight) and not weight.file
