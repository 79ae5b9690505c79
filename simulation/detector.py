"""A parametrised, ATLAS-like detector: one response of every event of a batch at once.

Leptons: tracking and identification efficiencies, calorimeter and muon resolutions of the ATLAS card of
Delphes 3 (arXiv:1307.6346, `delphes_card_ATLAS.tcl`), the electron's gap 1.37 < |η| < 1.52 left out,
isolation summed over the event's own particles within ΔR < 0.3. Jets: resolution in `config`. Calorimeter
MET: leptons, jets above 20 GeV and a soft term with pile-up noise. Track MET: leptons and the charged
particles that the tracker finds (efficiency of the same card); blind to neutral particles, hardly
touched by pile-up. MET significance: object-based (ATLAS-CONF-2018-038). Jets of other interactions, and
the jet-vertex tag that they and the hard ones have to pass, in `pile_up`. Misidentified leptons and charges
are made of a response, in `misidentified`. Not there: trigger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from znought.simulation import pile_up, tagging
from znought.simulation.config import DetectorConfig
from znought.simulation.decays import LeptonDraw
from znought.simulation.recipe import Skim
from znought.simulation.truth import Truth

__all__ = [
    "PROMPT",
    "Jets",
    "Leptons",
    "Response",
    "jet_resolution",
    "object_significance",
    "respond",
    "rows_at",
    "sorted_leptons",
    "thinned",
    "vector_sum",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEPTON_PT_MIN_GEV = 7.0
JET_PT_MIN_GEV = 20.0
JET_ETA_MAX = 4.7
TRACK_ETA_MAX = 2.5
TRACK_PT_MIN_GEV = 0.5
ISOLATION_RADIUS = 0.3
SOFT_ACTIVITY_SHAPE = 4.0
PROMPT = 1
"""`origin` of leptons that are no part of a jet; of a W, Z, Higgs boson or τ."""
_N_JETS_MIN: Mapping[Skim, int] = MappingProxyType({"misidentified": 3})


@dataclass(frozen=True)
class Leptons:
    """Reconstructed leptons by decreasing pT; pt = 0 is padding, all (n_events, n_leptons).

    `origin` is `PROMPT`, or the flavour of the jet that was taken for the lepton.
    """

    pt: Array
    eta: Array
    phi: Array
    pdg_id: NDArray[np.int32]
    isolation: Array
    origin: NDArray[np.int32]


@dataclass(frozen=True)
class Jets:
    """Reconstructed jets by decreasing pT; pt = 0 is padding, all (n_events, n_jets)."""

    pt: Array
    eta: Array
    phi: Array
    mass: Array
    flavour: NDArray[np.int32]
    discriminant: Array
    probability_85: Array
    jvt: Array


@dataclass(frozen=True)
class Response:
    """What one detector response recorded of the events that pass the skim.

    Attributes:
        event: index of each row in the batch, shape (n_rows,).
        leptons, jets: rectangular objects, first axis n_rows.
        met, track_met: vectors in GeV, shape (n_rows, 2).
        met_significance, soft_activity: shape (n_rows,).
        pile_up_mean, n_pile_up, n_vertices: of the crossing, as in `pile_up.Crossing`, shape (n_rows,).
    """

    event: NDArray[np.int64]
    leptons: Leptons
    jets: Jets
    met: Array
    track_met: Array
    met_significance: Array
    soft_activity: Array
    pile_up_mean: Array
    n_pile_up: NDArray[np.int64]
    n_vertices: NDArray[np.int64]


def respond(
    truth: Truth, draw: LeptonDraw, detector: DetectorConfig, *, skim: Skim, rng: np.random.Generator
) -> Response:
    """One response of the detector to a batch of events with the leptons of `draw`.

    Args:
        truth: particle level of the batch.
        draw: prompt leptons, same first axis.
        detector: resolutions and noise.
        skim: which events are kept.
        rng: random numbers.
    """
    leptons = _leptons(draw, rng)
    rows = _skimmed(leptons, skim)
    own = rng.spawn(1)[0]
    crossing = pile_up.crossing(detector.pile_up_mean, len(rows), own)
    jet_pt, jvt = _hard_jets(truth, rows, crossing, detector, (rng, own))
    others = pile_up.pile_up_jets(crossing.interactions, own)
    enough = np.sum(jet_pt > 0.0, axis=1) + np.sum(others.pt > 0.0, axis=1) >= _N_JETS_MIN.get(skim, 2)
    rows, jet_pt, crossing = rows[enough], jet_pt[enough], _taken(crossing, enough)
    jets = _jets(truth, rows, (jet_pt, jvt[enough]), _taken(others, enough), detector, rng)
    if skim == "bb":
        tagged = np.sum(jets.discriminant > tagging.WORKING_POINTS["85"], axis=1) >= 2
        rows, jet_pt, crossing = rows[tagged], jet_pt[tagged], _taken(crossing, tagged)
        jets = _taken(jets, tagged)
    share = crossing.interactions / pile_up.REFERENCE
    leptons = _isolated(_taken(leptons, rows), truth, rows, detector.isolation_noise_gev * share, rng)
    true_px_py = np.where(draw.pdg_id[rows, :, None] != 0, draw.p4[rows, :, :2], 0.0)
    soft, soft_scalar = _soft_term(truth, rows, jet_pt > 0.0)
    lepton_sum = vector_sum(leptons.pt, leptons.phi) + _lost_electrons(true_px_py, draw.pdg_id[rows], leptons)
    noise = rng.normal(size=(2, len(rows), 2))
    sigma = detector.met_soft_sigma_gev * pile_up.soft_noise(crossing.interactions)
    met = -(lepton_sum + vector_sum(jets.pt, jets.phi) + detector.met_soft_response * soft)
    met += sigma[:, None] * noise[0]
    tracks = _tracks(truth, rows, rng)
    track_met = -(vector_sum(leptons.pt, leptons.phi) + tracks) + detector.track_met_sigma_gev * noise[1]
    activity = rng.gamma(SOFT_ACTIVITY_SHAPE, detector.soft_activity_mean_gev * share / SOFT_ACTIVITY_SHAPE)
    return Response(
        event=rows,
        leptons=sorted_leptons(leptons),
        jets=jets,
        met=met,
        track_met=track_met,
        met_significance=object_significance(met, leptons, jets, detector, crossing.interactions),
        soft_activity=detector.met_soft_response * soft_scalar + activity,
        pile_up_mean=crossing.mean,
        n_pile_up=crossing.interactions,
        n_vertices=crossing.vertices,
    )


def _skimmed(leptons: Leptons, skim: Skim) -> NDArray[np.int64]:
    """Events that the skim keeps by their leptons."""
    kept, is_electron = leptons.pt > 0.0, np.abs(leptons.pdg_id) == 11
    if skim == "misidentified":
        return np.flatnonzero(np.any(kept, axis=1))
    if skim != "emu":
        return np.arange(len(leptons.pt))
    return np.flatnonzero(np.any(kept & is_electron, axis=1) & np.any(kept & ~is_electron, axis=1))


def thinned(
    response: Response, floor: float, rng: np.random.Generator, *, weight: Array
) -> tuple[Response, Array]:
    """The rows that are left, and their weights, shape (n_rows_left,).

    A row with b-veto probability P = Π (1 − ε_85) below `floor` is kept with probability P / floor and
    gains the factor floor / P (at most 20), so that weight times P stays level and no mean changes.
    """
    veto = np.prod(1.0 - response.jets.probability_85, axis=1)
    keep = np.clip(veto / floor, 0.05, 1.0)
    left = rng.random(len(keep)) < keep
    return rows_at(response, left), weight[left] / keep[left]


def rows_at(response: Response, rows: NDArray[np.int64] | Mask) -> Response:
    """Some rows of a response, in the order asked for."""
    values = vars(response)
    objects = {name: _taken(values[name], rows) for name in ("leptons", "jets")}
    arrays = {name: array[rows] for name, array in values.items() if name not in objects}
    return Response(**arrays, **objects)


def jet_resolution(pt: Array, eta: Array, detector: DetectorConfig, *, noise: Array | float = 1.0) -> Array:
    """σ(pT)/pT of jets of true momentum pt (GeV); `noise` is a factor on N.

    >>> jet_resolution(np.array([20.0, 100.0]), np.zeros(2), DetectorConfig()).round(3).tolist()
    [0.238, 0.088]
    """
    forward = np.where(np.abs(eta) > TRACK_ETA_MAX, detector.jet_forward_noise_factor, 1.0)
    noise = noise * detector.jet_noise_gev * forward / pt
    return np.sqrt(noise**2 + detector.jet_stochastic**2 / pt + detector.jet_constant**2)


def _lepton_resolution(pt: Array, eta: Array, is_electron: Mask) -> Array:
    energy = pt * np.cosh(eta)
    electron = np.sqrt(0.0017**2 + 0.101**2 / energy)
    a_eta = np.abs(eta)
    a = np.select([a_eta <= 0.5, a_eta <= 1.5], [0.01, 0.015], 0.025)
    b = np.select([a_eta <= 0.5, a_eta <= 1.5], [1.0e-4, 1.5e-4], 3.5e-4)
    return np.where(is_electron, electron, np.hypot(a, b * pt))


def _lepton_efficiency(eta: Array, is_electron: Mask) -> Array:
    a_eta = np.abs(eta)
    barrel = a_eta <= 1.5
    gap = (a_eta > 1.37) & (a_eta < 1.52)
    electron = np.where(gap, 0.0, np.where(barrel, 0.95 * 0.95, 0.83 * 0.85))
    muon = np.where(barrel, 0.99 * 0.95, 0.98 * 0.85)
    return np.where(a_eta < TRACK_ETA_MAX, np.where(is_electron, electron, muon), 0.0)


def _leptons(draw: LeptonDraw, rng: np.random.Generator) -> Leptons:
    present = draw.pdg_id != 0
    pt = np.where(present, np.hypot(draw.p4[..., 0], draw.p4[..., 1]), 1.0)
    eta = np.arcsinh(draw.p4[..., 2] / np.maximum(pt, 1e-9))
    phi = np.arctan2(draw.p4[..., 1], draw.p4[..., 0])
    is_electron = np.abs(draw.pdg_id) == 11
    found = present & (rng.random(pt.shape) < _lepton_efficiency(eta, is_electron))
    reco = pt * (1.0 + _lepton_resolution(pt, eta, is_electron) * rng.normal(size=pt.shape))
    reco = np.where(found & (reco > LEPTON_PT_MIN_GEV), reco, 0.0)
    return Leptons(reco, eta, phi, draw.pdg_id, np.zeros_like(pt), np.full(pt.shape, PROMPT, np.int32))


_Objects = TypeVar("_Objects", Leptons, Jets, pile_up.Crossing, pile_up.PileUpJets)


def _taken(objects: _Objects, rows: NDArray[np.int64] | Mask) -> _Objects:
    return type(objects)(*(values[rows] for values in vars(objects).values()))


def _isolated(
    leptons: Leptons,
    truth: Truth,
    rows: NDArray[np.int64],
    noise: Array,
    rng: np.random.Generator,
) -> Leptons:
    """With the relative sum of particle pT within ΔR < 0.3, plus pile-up noise."""
    pt, eta, phi = truth.pt[rows], truth.eta[rows], truth.phi[rows]
    total = np.zeros_like(leptons.pt)
    for column in range(leptons.pt.shape[1]):
        d_eta = eta - leptons.eta[:, column : column + 1].astype(np.float32)
        d_phi = np.abs(phi - leptons.phi[:, column : column + 1].astype(np.float32))
        d_phi = np.minimum(d_phi, np.float32(2.0 * np.pi) - d_phi)
        near = d_eta * d_eta + d_phi * d_phi < ISOLATION_RADIUS**2
        total[:, column] = np.sum(pt * near, axis=1)
    total += rng.exponential(noise[:, None], size=total.shape)
    isolation = np.divide(total, leptons.pt, out=np.zeros_like(total), where=leptons.pt > 0.0)
    return replace(leptons, isolation=isolation)


def sorted_leptons(leptons: Leptons) -> Leptons:
    """The same by decreasing pT."""
    order = np.argsort(-leptons.pt, axis=1, kind="stable")
    return Leptons(*(np.take_along_axis(values, order, axis=1) for values in vars(leptons).values()))


def _lost_electrons(true_px_py: Array, pdg_id: NDArray[np.int32], leptons: Leptons) -> Array:
    """Electrons that are not identified still leave their energy in the calorimeter; muons do not."""
    lost = (np.abs(pdg_id) == 11) & (leptons.pt == 0.0) & (np.abs(leptons.eta) < JET_ETA_MAX)
    result: Array = np.sum(true_px_py * lost[:, :, None], axis=1)
    return result


def _hard_jets(
    truth: Truth,
    rows: NDArray[np.int64],
    crossing: pile_up.Crossing,
    detector: DetectorConfig,
    rng: tuple[np.random.Generator, np.random.Generator],
) -> tuple[Array, Array]:
    """Reconstructed pT of the hard interaction's jets, and their tags, each (n_rows, n_jets).

    pT is 0 below threshold, outside acceptance, and where the tag fails.
    """
    pt, eta = truth.jet_pt[rows], truth.jet_eta[rows]
    present = pt > 0.0
    noise = pile_up.jet_noise(crossing.interactions)[:, None]
    sigma = jet_resolution(np.where(present, pt, 1.0), eta, detector, noise=noise)
    factor = np.maximum(1.0 + sigma * rng[0].normal(size=pt.shape), 0.05) * detector.jet_energy_scale
    reco = pt * factor
    present &= (reco > JET_PT_MIN_GEV) & (np.abs(eta) < JET_ETA_MAX)
    jvt = np.ones_like(pt)
    if detector.pile_up_mean > 0.0:
        jvt = pile_up.jvt(np.where(present, reco, 0.0), eta, is_hard=True, rng=rng[1])
        present &= pile_up.passes_jvt(reco, eta, jvt)
    return np.where(present, reco, 0.0), jvt


def _jets(
    truth: Truth,
    rows: NDArray[np.int64],
    hard: tuple[Array, Array],
    others: pile_up.PileUpJets,
    detector: DetectorConfig,
    rng: np.random.Generator,
) -> Jets:
    """Jets of the hard interaction (reconstructed pT, tag) and of others."""
    none = np.zeros_like(others.pt)
    reco_pt = np.concatenate([hard[0], others.pt], axis=1)
    order = np.argsort(-reco_pt, axis=1, kind="stable")
    order = order[:, : int(np.sum(reco_pt > 0.0, axis=1).max(initial=1))]
    columns = (
        (hard[0], others.pt),
        (truth.jet_pt[rows], others.pt),
        (truth.jet_eta[rows], others.eta),
        (truth.jet_phi[rows], others.phi),
        (truth.jet_mass[rows], none),
        (hard[1], others.jvt),
    )
    pt, true_pt, eta, phi, mass, jvt = (
        np.take_along_axis(np.concatenate(pair, axis=1), order, axis=1) for pair in columns
    )
    all_flavours = np.concatenate([truth.jet_flavour[rows], none.astype(np.int32)], axis=1)
    flavour = np.take_along_axis(all_flavours, order, axis=1)
    present = pt > 0.0
    angle = detector.jet_angle_gev / np.maximum(true_pt, 1.0)
    shift = rng.normal(size=(2, *pt.shape)) * angle
    scale = np.divide(pt, true_pt, out=np.zeros_like(pt), where=present)
    eta = np.where(present, eta + shift[0], 0.0)
    phi = np.where(present, np.remainder(phi + shift[1] + np.pi, 2.0 * np.pi) - np.pi, 0.0)
    return Jets(
        pt=pt,
        eta=eta,
        phi=phi,
        mass=mass * scale,
        flavour=np.where(present, flavour, 0),
        discriminant=tagging.discriminant(pt, eta, flavour, rng),
        probability_85=tagging.tag_probability(pt, eta, flavour, cut=tagging.WORKING_POINTS["85"]),
        jvt=jvt,
    )


def vector_sum(pt: Array, phi: Array) -> Array:
    """Sums of transverse momenta of each row, shape (n_rows, 2)."""
    return np.stack([np.sum(pt * np.cos(phi), axis=1), np.sum(pt * np.sin(phi), axis=1)], axis=1)


def _soft_term(truth: Truth, rows: NDArray[np.int64], is_jet: Mask) -> tuple[Array, Array]:
    """Vector and scalar sums of what no reconstructed jet took."""
    hard = np.where(is_jet, truth.jet_pt[rows], 0.0)
    soft = truth.recoil[rows] - vector_sum(hard, truth.jet_phi[rows])
    scalar = np.sum(truth.pt[rows], axis=1, dtype=np.float64) - np.sum(hard, axis=1)
    return soft, np.maximum(scalar, 0.0)


def _tracks(truth: Truth, rows: NDArray[np.int64], rng: np.random.Generator) -> Array:
    """Vector sum of the charged particles that the tracker finds."""
    pt, eta, phi = truth.pt[rows], truth.eta[rows], truth.phi[rows]
    barrel = np.abs(eta) <= 1.5
    efficiency = np.where(pt > 1.0, np.where(barrel, 0.95, 0.85), np.where(barrel, 0.70, 0.60))
    inside = truth.is_charged[rows] & (pt > TRACK_PT_MIN_GEV) & (np.abs(eta) < TRACK_ETA_MAX)
    found = inside & (rng.random(pt.shape, dtype=np.float32) < efficiency)
    tracks = np.where(found, pt, np.float32(0.0)).astype(np.float64)
    return vector_sum(tracks, phi.astype(np.float64))


def object_significance(
    met: Array, leptons: Leptons, jets: Jets, detector: DetectorConfig, n_pile_up: NDArray[np.int64]
) -> Array:
    """S = MET / √(σ_L² (1 − ρ_LT²)), variances of all objects turned along and across MET.

    The noise of jets and soft term follows the number of further interactions, shape (n_rows,).

    References:
        ATLAS-CONF-2018-038, eq. 15.
    """
    soft = detector.met_soft_sigma_gev * pile_up.soft_noise(n_pile_up)
    noise = pile_up.jet_noise(n_pile_up)
    phi_met = np.arctan2(met[:, 1], met[:, 0])[:, None]
    covariance = np.zeros((3, met.shape[0]))  # LL, TT, LT
    covariance[:2] = soft**2
    jet_sigma = jets.pt * jet_resolution(np.maximum(jets.pt, 1.0), jets.eta, detector, noise=noise[:, None])
    jet_across = np.where(jets.pt > 0.0, detector.jet_angle_gev, 0.0)
    is_electron = np.abs(leptons.pdg_id) == 11
    lepton_sigma = leptons.pt * _lepton_resolution(np.maximum(leptons.pt, 1.0), leptons.eta, is_electron)
    for phi, along, across in (
        (jets.phi, jet_sigma, jet_across),
        (leptons.phi, lepton_sigma, np.zeros_like(lepton_sigma)),
    ):
        cos, sin = np.cos(phi - phi_met), np.sin(phi - phi_met)
        covariance[0] += np.sum((along * cos) ** 2 + (across * sin) ** 2, axis=1)
        covariance[1] += np.sum((along * sin) ** 2 + (across * cos) ** 2, axis=1)
        covariance[2] += np.sum((along**2 - across**2) * cos * sin, axis=1)
    variance = covariance[0] - covariance[2] ** 2 / covariance[1]
    significance: Array = np.hypot(met[:, 0], met[:, 1]) / np.sqrt(variance)
    return significance
