"""What a recipe is: the hard process, its generator, the filter and how the leptons come about."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError
from znought.simulation.config import ENERGY_TEV

__all__ = [
    "COMMON",
    "BPairFilter",
    "JetFilter",
    "LeptonFilter",
    "LeptonPart",
    "LeptonSource",
    "MatrixElement",
    "PartonFilter",
    "Recipe",
    "Skim",
    "Weigher",
]

LeptonSource = Literal["higgs_ww", "w_pair", "w", "tau_pair", "record"]
"""Where the prompt leptons of a response come from.

`higgs_ww`: the stable Higgs boson of the record decays to WW* → ℓνℓν, anew in each response (exact: a
scalar's decay knows nothing of its production). `w_pair`: the two W → ℓν of the record; each response
draws their flavours (e, μ, τ → e, τ → μ). `tau_pair`: the two stable τ of the record decay leptonically,
anew in each response. These three give e±μ∓ final states only. `w`: the only W → ℓν of the record, drawn in
the same way. `record`: leptons as generated.
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
    f"Beams:eCM = {1e3 * ENERGY_TEV:.0f}.",
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

    An event goes on with `n_partons` coloured partons above `pt_gev`, of which each above `pt_single_gev`
    counts twice (it may still split into two jets, or a pile-up jet be the second); later emissions are
    softer than `scale_gev`. Of the events with two jets above 30 GeV after the detector's resolution about
    one per cent is lost (3 % in Z → ττ), and some that need a pile-up jet: 6 % of Z → ττ in all, 2 % of those
    with |Δη| < 1.2 (9 % and 5 % at 50 GeV instead of 35).
    """

    scale_gev: float = 8.0
    pt_gev: float = 11.0
    pt_single_gev: float = 35.0
    n_partons: int = 2


@dataclass(frozen=True)
class BPairFilter:
    """Veto before hadronisation: two b quarks, and their mass in a window.

    Most events are given up earlier, when the shower has come down to `scale_gev` without two b quarks of
    any momentum: about seven times the events in the same time. Of 330 events in Z + bb with pT(Z) > 180 GeV
    none is lost at a scale of 7 GeV, two at 10 GeV.
    """

    scale_gev: float = 8.0
    pt_gev: float = 15.0
    abs_eta: float = 2.7
    m_min_gev: float = 50.0
    m_max_gev: float = 250.0


@dataclass(frozen=True)
class JetFilter:
    """Veto behind a shower, before hadronisation: `n_jets` anti-kT jets of partons above `pt_gev`."""

    pt_gev: float = 15.0
    n_jets: int = 2


LeptonPart = Literal["pair", "tau_pair", "rest"]


@dataclass(frozen=True)
class LeptonFilter:
    """Vetoes by the leptons of W bosons: can they be seen as a W or Z boson of high pT?

    `pair`: e⁺e⁻ or μ⁺μ⁻ with a mass in `m_ll_gev`; `tau_pair`: two charged leptons, one of them a τ, with a
    mass above the window's lower edge, since their visible part may be such a pair. Either with a
    transverse momentum above `pt_hard_gev` in the hard process, where a veto costs no shower, and above
    `pt_pair_gev` behind the shower, whose recoil moves it.
    `rest`: no such pair, and in the hard process the largest |Σ pT(ν) + Σ pT(ℓ)| over the sets of charged
    leptons, the empty one included, in `pt_rest_gev`. Leptons may be lost wholly or in part; since a norm
    is convex, no sum with parts of them is larger.
    At equal thresholds parts and ranges exclude each other.

    The shower lifts some events over an analysis' cut that the hard process would not pass. Of those with a
    pair above 150 GeV behind the shower, 40 GeV drop 2 to 3 % (110 GeV would drop 29 %); of tt̄ → ℓν qq'
    that VH(bb) selects with pT(V) > 150 GeV, 110 GeV drop 1.3 ± 0.4 % with one lepton, 0.9 ± 0.6 % without.
    """

    part: LeptonPart
    m_ll_gev: tuple[float, float] = (66.0, 116.0)
    pt_hard_gev: float = 40.0
    pt_pair_gev: float = 135.0
    pt_rest_gev: tuple[float, float] = (110.0, math.inf)


@dataclass(frozen=True)
class MatrixElement:
    """A hard process that Sherpa calculates at leading order: one that Pythia lacks, or with further jets.

    Attributes:
        processes: particles by their numbers, 93 for any parton, as in "93 93 -> 15 -15".
        order: powers of the couplings without further jets, as in {"QCD": 0, "EW": 2}.
        jets: most further partons; where they are separated by more than `merging_gev` they come from the
            matrix element, else from the shower (CKKW, arXiv:0903.1219).
        merging_gev: the separation, a relative transverse momentum.
        cuts: Sherpa's selectors, as in [["Mass", 15, -15, 50, "E_CMS"]].
        particles: number → Sherpa's properties of a particle, as in {15: {"Stable": 1}}.
        decays: the only decays of outgoing W, Z or top, as in ["24,12,-11"]; their branching ratios are not
            in the cross section.
        shower: "sherpa", and its partons become hadrons in Pythia; or "pythia", which takes the hard process.
        enhance: number of further jets → how many times more often than by nature events with so many are
            made, each with a weight that is so many times smaller. The integration does not depend on it.
    """

    processes: tuple[str, ...]
    order: Mapping[str, int]
    jets: int = 0
    merging_gev: float = 20.0
    cuts: tuple[tuple[str | int | float, ...], ...] = ()
    particles: Mapping[int, Mapping[str, int | float]] = field(default_factory=dict)
    decays: tuple[str, ...] = ()
    shower: Literal["sherpa", "pythia"] = "sherpa"
    enhance: Mapping[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.jets and self.shower == "pythia":
            raise CardError("matrix_element: further jets are merged with Sherpa's own shower only.")
        if self.decays and self.shower == "pythia":
            raise CardError("matrix_element: Pythia decays what it showers, by the recipe's commands.")
        if not all(1 <= jets <= self.jets and factor > 0.0 for jets, factor in self.enhance.items()):
            raise CardError(
                f"matrix_element: enhance has positive factors by number of further jets, up to {self.jets}. "
                f"Received: {dict(self.enhance)!r}."
            )


Skim = Literal["emu", "dijet", "bb", "misidentified"]
"""Rows that are written: a reconstructed electron and muon and two jets; two jets; two b-tagged jets; one
lepton and a jet taken for one of the other flavour beside two jets, for each such jet (`misidentified`).
"""


@dataclass(frozen=True)
class Recipe:
    """One way of generating events.

    Attributes:
        name: by which cards call it.
        description: one line, with what is missing.
        commands: Pythia settings on top of `COMMON`; of hadrons and decays alone behind Sherpa's shower.
        leptons: where the prompt leptons come from.
        parton_filter: generator filter; None lets every event pass.
        w_charge: keep only this charge of the associated W (others do not count as attempted).
        n_taus: keep only this number of τ in the hard process (others do not count as attempted).
        b_pair: further generator filter, for heavy flavour; not beside `parton_filter`.
        lepton_filter: further generator filter, by the leptons of W bosons.
        jet_filter: generator filter behind Sherpa's shower.
        skim: which rows are written.
        events_per_job, attempts_per_job: size of one job in simulation and in pseudo-data.
        veto_floor: rows of simulation whose b-veto probability P lies below it are kept with probability
            P / floor and weigh floor / P: fewer rows, each of which tells more after the veto. 0 keeps all.
        weigher: extra weights per event.
        matrix_element: hard process from Sherpa; None leaves it to Pythia.
        data_boost: where rows have small weights (`misidentified`), pseudo-data are made of so many times
            fewer attempts, and each row is picked so many times more often.
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
    lepton_filter: LeptonFilter | None = None
    matrix_element: MatrixElement | None = None
    jet_filter: JetFilter | None = None
    data_boost: float = 1.0

    def __post_init__(self) -> None:
        if self.parton_filter is not None and self.b_pair is not None:
            raise CardError(f"Recipe {self.name!r}: parton_filter and b_pair exclude each other.")
        if self.data_boost < 1.0 or (self.data_boost != 1.0 and self.skim != "misidentified"):
            raise CardError(f"Recipe {self.name!r}: data_boost, from 1 on, is of misidentified leptons.")
        if self.matrix_element is not None and self.matrix_element.shower == "sherpa":
            self._check_merged()
        elif self.jet_filter is not None:
            raise CardError(f"Recipe {self.name!r}: jet_filter stands behind Sherpa's shower only.")

    @property
    def unweighted(self) -> "Recipe":
        """The same with events as often as by nature, as data have them."""
        if self.matrix_element is None:
            return self
        return replace(self, matrix_element=replace(self.matrix_element, enhance={}))

    def _check_merged(self) -> None:
        for key in ("parton_filter", "b_pair", "lepton_filter", "weigher", "w_charge", "n_taus"):
            if getattr(self, key) is not None:
                raise CardError(f"Recipe {self.name!r}: {key} is Pythia's, and Sherpa showers this one.")
