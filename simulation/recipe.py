"""What a recipe is: Pythia settings, the generator filter and how the leptons come about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["COMMON", "BPairFilter", "LeptonSource", "PartonFilter", "Recipe", "Skim", "Weigher"]

LeptonSource = Literal["higgs_ww", "w_pair", "tau_pair", "record"]
"""Where the prompt leptons of a response come from.

`higgs_ww`: the stable Higgs boson of the record decays to WW* → ℓνℓν, anew in each response (exact: a
scalar's decay knows nothing of its production). `w_pair`: the two W → ℓν of the record; each response
draws their flavours (e, μ, τ → e, τ → μ). `tau_pair`: the two stable τ of the record decay leptonically,
anew in each response. These three give e±μ∓ final states only. `record`: leptons as generated.
"""


@dataclass(frozen=True)
class Weigher:
    """Extra weights per event from the hard process, before any shower or recoil.

    Attributes:
        capture: takes what it needs from Pythia's process record of one attempt.
        weigh: from what was captured of n events to named weights, each of shape (n,). They are written
            as one branch per name, and are factors: not divided by the number of responses.
    """

    capture: Callable[[Any], Any]
    weigh: Callable[[Sequence[Any]], Mapping[str, NDArray[np.float64]]]


COMMON: tuple[str, ...] = (
    "Beams:eCM = 13000.",
    # The underlying event enters through the detector's soft terms; generating it costs a factor 3.
    "PartonLevel:MPI = off",
    # Electrons are taken dressed with their photons; no leptons from shower photons.
    "TimeShower:QEDshowerByL = off",
    "TimeShower:QEDshowerByGamma = off",
    # Particles that cross 10 mm are the detector's; a neutral pion stays one neutral particle.
    "ParticleDecays:limitTau0 = on",
    "ParticleDecays:tau0Max = 10.",
    "111:mayDecay = off",
    "Check:event = off",
    "25:m0 = 125.",
    "6:m0 = 172.5",
)


@dataclass(frozen=True)
class PartonFilter:
    """Veto within the shower, when its evolution has come down to `scale_gev`.

    An event goes on with two coloured partons above `pt_gev`, or one above `pt_single_gev` (which may
    still split into two jets); later emissions are softer than `scale_gev`. Of the events with two jets
    above 30 GeV after the detector's resolution about one per cent is lost (2 % in Z → ττ).
    """

    scale_gev: float = 8.0
    pt_gev: float = 11.0
    pt_single_gev: float = 50.0


@dataclass(frozen=True)
class BPairFilter:
    """Veto after the shower, before hadronisation: two b quarks, and their mass in a window."""

    pt_gev: float = 15.0
    abs_eta: float = 2.7
    m_min_gev: float = 50.0
    m_max_gev: float = 250.0


Skim = Literal["emu", "dijet", "bb"]
"""Rows that are written: a reconstructed electron and muon and two jets; two jets; two b-tagged jets."""


@dataclass(frozen=True)
class Recipe:
    """One way of generating events.

    Attributes:
        name: key in `RECIPES`.
        description: one line, with what is missing.
        commands: Pythia settings on top of `COMMON`.
        leptons: where the prompt leptons come from.
        parton_filter: generator filter; None lets every event pass.
        w_charge: keep only this charge of the associated W (others do not count as attempted).
        n_taus: keep only this number of τ in the hard process (others do not count as attempted).
        b_pair: further generator filter, for heavy flavour.
        skim: which rows are written.
        events_per_job, attempts_per_job: size of one job in simulation and in pseudo-data.
        veto_floor: rows of simulation whose b-veto probability P lies below it are kept with probability
            P / floor and weigh floor / P: fewer rows, each of which tells more after the veto. 0 keeps all.
        weigher: extra weights per event.
    """

    name: str
    description: str
    commands: tuple[str, ...]
    leptons: LeptonSource
    parton_filter: PartonFilter | None = None
    w_charge: int | None = None
    n_taus: int | None = None
    b_pair: BPairFilter | None = None
    skim: Skim = "emu"
    events_per_job: int = 10_000
    attempts_per_job: int = 20_000
    veto_floor: float = 0.0
    weigher: Weigher | None = None
