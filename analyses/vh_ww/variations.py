"""Objects of an e±μ∓ event under a variation: shifted before the selection, everything after recomputed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.selection import Dilepton
from znought.processors.measured import Measured
from znought.processors.objects import Jets, Missing
from znought.processors.recoil import Recoil
from znought.processors.variations import Variation, shift_tagging, without_tags

__all__ = ["Objects", "vary"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Objects:
    """What the events with an e±μ∓ pair hold.

    Attributes:
        pairs: the pairs, one per event.
        jets: jets without those at the leptons.
        missing: missing transverse momentum and soft activity.
        measured: how a calibration moves them; None where nothing is calibrated.
    """

    pairs: Dilepton
    jets: Jets
    missing: Missing
    measured: Measured | None = None

    @cached_property
    def recoil(self) -> Recoil:
        """Jets and missing transverse momentum, as variations move them."""
        return Recoil(self.pairs.vector, self.jets, self.missing, self.measured)


def vary(
    objects: Objects,
    variation: Variation,
    noise: Callable[[], Floats],
    flavour: Callable[[], NDArray[np.integer]],
    numbers: Callable[[], Floats] | None,
) -> Objects:
    """Shifted objects; the missing transverse momentum follows what it was built from.

    Args:
        objects: nominal ones; with the shifted pairs already, for a variation of leptons.
        variation: what to shift.
        noise: gives what `resolution_noise` does, to whom asks for it.
        flavour: gives the hadron flavour of the jets, to whom asks for it.
        numbers: gives what `jet_numbers` does, where events are counted by their tags; None where a veto is
            weighed.
    """
    if variation.is_tagging and numbers is not None:
        return replace(objects, jets=without_tags(objects.jets, variation, numbers(), flavour))
    if variation.is_tagging:
        return replace(objects, jets=shift_tagging(objects.jets, variation, flavour))
    moved = objects.recoil.varied(variation, noise)
    return replace(objects, jets=moved.jets, missing=moved.missing)
