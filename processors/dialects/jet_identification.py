"""Identification of CMS' jets: the file's flag, mended where it is wrong, or made anew from its inputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.dialects.layout import Field
from znought.processors.dialects.view import View

__all__ = ["JET_ID_FIELDS", "Inputs", "JetId", "Limits", "PileupId", "criteria", "identified_jets", "tight"]

Mask = NDArray[np.bool_]
Floats = NDArray[np.floating]
Inputs = Mapping[str, Floats]
"""`abs_eta` and inputs of the identification by the names in `Limits`, shape (n_jets,)."""
JetId = Literal["tight", "tight_lepton_veto"]
PileupId = Literal["loose", "medium", "tight"]

_INPUTS: Mapping[str, str] = {
    "ne_hef": "Jet_neHEF",
    "ne_em": "Jet_neEmEF",
    "ch_hef": "Jet_chHEF",
    "ch_em": "Jet_chEmEF",
    "mu": "Jet_muEF",
    "n_charged": "Jet_chMultiplicity",
    "n_neutral": "Jet_neMultiplicity",
}
JET_ID_FIELDS = (
    *(Field.of(f"jet_{name}", branch, optional=True) for name, branch in _INPUTS.items()),
    Field.of("jet_pileup_id", "Jet_puId", optional=True),
    Field.of("muon_is_pf", "Muon_isPFcand", optional=True),
)
"""What the identification of jets, and the veto of regions, may read beside momenta."""

_FLAG: Mapping[str, int] = {"tight": 2, "tight_lepton_veto": 4}  # bits of Jet_jetId
_LEPTON_ETA = 2.7
_LEPTON_FRACTION = 0.8
_PILEUP_BELOW_GEV = 50.0


@dataclass(frozen=True)
class Limits:
    """What a jet up to some |η| must be; a limit that is not there is not asked. None of them is inside.

    Attributes:
        abs_eta: largest |η|, inside.
        ne_hef, ne_em, ch_hef: smallest and largest share of energy of neutral hadrons, photons (with the
            electromagnetic part of the forward calorimeter) and charged hadrons.
        n_charged, n_neutral, n: more constituents than these.
    """

    abs_eta: float
    ne_hef: tuple[float, float] = (-np.inf, np.inf)
    ne_em: tuple[float, float] = (-np.inf, np.inf)
    ch_hef: tuple[float, float] = (-np.inf, np.inf)
    n_charged: int = -1
    n_neutral: int = -1
    n: int = -1

    def passed(self, inputs: Inputs) -> Mask:
        """Whether jets are within the limits, shape (n_jets,)."""
        charged, neutral = inputs["n_charged"], inputs["n_neutral"]
        found = (charged > self.n_charged) & (neutral > self.n_neutral) & (charged + neutral > self.n)
        for name, (low, high) in (
            ("ne_hef", self.ne_hef),
            ("ne_em", self.ne_em),
            ("ch_hef", self.ch_hef),
        ):
            found &= (inputs[name] > low) & (inputs[name] < high)
        return np.asarray(found)


_BELOW_09 = (-np.inf, 0.9)
_BELOW_099 = (-np.inf, 0.99)
_CHARGED = (0.0, np.inf)
_EVERYWHERE = np.inf

RUN3 = (
    Limits(2.6, _BELOW_099, _BELOW_09, (0.01, np.inf), n_charged=0, n=1),
    Limits(2.7, _BELOW_09, _BELOW_099),
    Limits(3.0, _BELOW_099),
    Limits(_EVERYWHERE, ne_em=(-np.inf, 0.4), n_neutral=1),
)
"""CMS, JetID13p6TeV: https://twiki.cern.ch/twiki/bin/view/CMS/JetID13p6TeV, `AK4PUPPI_Tight` of its files."""
_UL_PUPPI = (
    Limits(2.6, _BELOW_09, _BELOW_09, _CHARGED, n_charged=0, n=1),
    Limits(2.7, _BELOW_09, _BELOW_099),
    Limits(3.0, (-np.inf, 0.9999)),
    Limits(_EVERYWHERE, ne_em=_BELOW_09, n_neutral=2),
)
_UL16_PUPPI = (
    Limits(2.4, _BELOW_09, _BELOW_09, _CHARGED, n_charged=0, n=1),
    Limits(2.7, (-np.inf, 0.98), _BELOW_099),
    Limits(3.0, n_neutral=1),
    Limits(_EVERYWHERE, ne_em=_BELOW_09, n_neutral=2),
)
_RUN2_PUPPI: Mapping[str, tuple[Limits, ...]] = {"2016": _UL16_PUPPI, "2017": _UL_PUPPI, "2018": _UL_PUPPI}
"""Tight of RUN2ULPUPPI and RUN2UL16PUPPI: CMSSW, PhysicsTools/SelectorUtils, PFJetIDSelectionFunctor.h."""

_PILEUP_BIT: Mapping[str, Mapping[str, int]] = {
    "2016": {"loose": 1, "medium": 2, "tight": 4},
    "2017": {"loose": 4, "medium": 2, "tight": 1},
    "2018": {"loose": 4, "medium": 2, "tight": 1},
}
"""CMS, https://twiki.cern.ch/twiki/bin/view/CMS/PileupJetIDUL: 2016 counts from the other end."""
RUN2_YEARS = tuple(_PILEUP_BIT)


def criteria(era: str | None) -> tuple[Limits, ...]:
    """Limits of PUPPI jets in rising |η|: of the year that an era's name begins with, else of Run 3."""
    return next((limits for year, limits in _RUN2_PUPPI.items() if str(era).startswith(year)), RUN3)


def tight(inputs: Inputs, limits: tuple[Limits, ...]) -> Mask:
    """Whether jets pass the tight identification, from its inputs, shape (n_jets,)."""
    found = np.zeros(len(inputs["abs_eta"]), np.bool_)
    interval = np.searchsorted([one.abs_eta for one in limits], inputs["abs_eta"])
    for place, one in enumerate(limits):
        found |= (interval == place) & one.passed(inputs)
    return found


def identified_jets(view: View) -> Mask:
    """Whether each jet of the events in view passes the identification that its era asks for.

    Versions with multiplicities (13 and later) have it made anew from its inputs; version 12 writes a flag
    that is too loose beyond |η| = 2.7, which is mended as CMS says; the flag of version 9 is right. Jets in
    the region of a map that drops jets do not pass. Every jet passes where the file has nothing of these.

    References:
        CMS, https://twiki.cern.ch/twiki/bin/view/CMS/JetID13p6TeV (revision 21), "nanoAOD Flags".

    Raises:
        DataError: an input is missing, or the pile-up identification that the card asks for.
    """
    metadata = view.entries.metadata
    wanted: JetId = metadata.get("jet_id", get_args(JetId)[0])
    found = _by_inputs(view) if view.has("jet_n_neutral") else _by_flag(view, wanted)
    if wanted == "tight_lepton_veto" and view.has("jet_n_neutral"):
        found &= _without_lepton(view)
    if metadata.get("pileup_id") is not None:
        found &= _of_collision(view, metadata["pileup_id"])
    if view.has("jet_vetoed"):
        found &= view.flat("jet_vetoed") == 0
    return found


def _by_inputs(view: View) -> Mask:
    inputs = {name: _input(view, name) for name in ("ne_hef", "ne_em", "ch_hef", "n_charged", "n_neutral")}
    # A multiplicity is a byte: a sum of two would begin anew at 256.
    inputs |= {name: inputs[name].astype(np.int64) for name in ("n_charged", "n_neutral")}
    inputs["abs_eta"] = np.abs(view.flat("jet_eta"))
    return tight(inputs, criteria(view.entries.metadata.get("era")))


def _by_flag(view: View, wanted: JetId) -> Mask:
    if not view.has("jet_id"):
        return np.ones(len(view.flat("jet_pt")), np.bool_)
    found: Mask = (view.bits("jet_id") & _FLAG[wanted]) > 0
    # Declared where it cannot be mended.
    if view.layout.dialect != "nanoaod_v12" or not view.has("jet_id_mended"):
        return found
    abs_eta = np.abs(view.flat("jet_eta"))
    endcap, forward = (abs_eta > 2.7) & (abs_eta <= 3.0), abs_eta > 3.0
    found &= ~endcap | (_input(view, "ne_hef") < 0.99)
    found &= ~forward | (_input(view, "ne_em") < 0.4)
    return found


def _without_lepton(view: View) -> Mask:
    forward = np.abs(view.flat("jet_eta")) > _LEPTON_ETA
    shares = [_input(view, name) < _LEPTON_FRACTION for name in ("mu", "ch_em")]
    return np.asarray(forward | (shares[0] & shares[1]))


def _of_collision(view: View, wanted: PileupId) -> Mask:
    """Jets of the collision itself, below 50 GeV by the bits of Run 2."""
    era = str(view.entries.metadata.get("era"))
    bit = next(bits[wanted] for year, bits in _PILEUP_BIT.items() if era.startswith(year))
    flags = _input(view, "pileup_id").astype(np.int64)
    return np.asarray(((flags & bit) > 0) | (view.flat("jet_pt") >= _PILEUP_BELOW_GEV))


def _input(view: View, name: str) -> Floats:
    if view.has(f"jet_{name}"):
        return view.flat(f"jet_{name}")
    branch = next(_branches(name))
    raise DataError(
        f"{view.entries.metadata['filename']}: jets are identified from branch {branch}, which it has not."
    )


def _branches(name: str) -> Iterator[str]:
    for field in JET_ID_FIELDS:
        if field.name == f"jet_{name}":
            yield field.sources[0].branch
