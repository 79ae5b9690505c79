"""Events of a resonance and of a falling continuum in two muons, by kinematics alone: thousands in a second.

No generator stands behind them: masses, transverse momenta and rapidities of the pair are drawn, the decay is
two-body, muons and recoiling jets are smeared. They serve to try a whole analysis on within a minute.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.simulation.decays import boosted
from znought.simulation.ntuple import write

__all__ = ["SAMPLES", "PairSample", "draw_pairs", "write_samples"]

Array = NDArray[np.float64]

MASS_MUON_GEV = 0.10566
MUON_RESOLUTION = 0.012
JET_RESOLUTION = 0.10
JET_PT_MIN_GEV = 20.0
_TIGHT = 6  # bits of NanoAOD's jetId


@dataclass(frozen=True)
class PairSample:
    """Muon pairs of one kind.

    Attributes:
        xsec_pb: cross section.
        n_events: of the simulated file.
        mass_gev: (lower, upper) of a continuum that falls with 1/m²; equal for a narrow resonance.
        mean_pt_gev: of the pair.
        is_scalar: isotropic decay; otherwise 1 + cos²θ against the flight direction.
    """

    xsec_pb: float
    n_events: int
    mass_gev: tuple[float, float]
    mean_pt_gev: float
    is_scalar: bool


SAMPLES = {
    "signal": PairSample(0.012, 8_000, (125.0, 125.0), 50.0, True),
    "background": PairSample(2.0, 40_000, (70.0, 250.0), 24.0, False),
}


def draw_pairs(sample: PairSample, n_events: int, rng: np.random.Generator) -> dict[str, Any]:
    """Branches `Muon`, `Jet` and `MET` of events of one kind, NanoAOD's names, GeV.

    Args:
        sample: what is drawn.
        n_events: how many events.
        rng: source of all random numbers.
    """
    pair = _pairs(sample, n_events, rng)
    charge = rng.choice(np.array([-1, 1], np.int32), n_events)
    muons = [
        _smeared(muon, MUON_RESOLUTION, rng) | {"charge": sign}
        for muon, sign in zip(_decayed(pair, sample.is_scalar, rng), (charge, -charge), strict=True)
    ]
    recoil = -pair[:, :2]
    met = rng.normal(0.0, 12.0, (n_events, 2))
    return {
        "Muon": _ordered(muons, rng.exponential(0.03, (2, n_events))),
        "Jet": _jets(recoil, rng),
        "MET_pt": np.hypot(*met.T).astype(np.float32),
        "MET_phi": np.arctan2(met[:, 1], met[:, 0]).astype(np.float32),
    }


def _pairs(sample: PairSample, n_events: int, rng: np.random.Generator) -> Array:
    """Four-momenta (px, py, pz, E) of the pairs, shape (n_events, 4)."""
    low, high = (1.0 / mass for mass in sample.mass_gev)
    mass = 1.0 / (low + (high - low) * rng.uniform(size=n_events))
    pt = rng.gamma(2.0, sample.mean_pt_gev / 2.0, n_events)
    phi, rapidity = rng.uniform(-np.pi, np.pi, n_events), rng.normal(0.0, 1.1, n_events)
    transverse = np.hypot(mass, pt)
    return np.stack(
        [pt * np.cos(phi), pt * np.sin(phi), transverse * np.sinh(rapidity), transverse * np.cosh(rapidity)],
        axis=1,
    )


def _decayed(pair: Array, is_scalar: bool, rng: np.random.Generator) -> tuple[Array, Array]:
    """Four-momenta of the two muons, (n_events, 4) each, in the laboratory."""
    n_events = len(pair)
    cosine = rng.uniform(-1.0, 1.0, n_events)
    if not is_scalar:
        # 3/8 (1 + cos²θ) = 3/4 · 1/2 + 1/4 · 3/2 cos²θ: flat in three of four decays.
        squared = np.cbrt(rng.uniform(-1.0, 1.0, n_events))
        cosine = np.where(rng.uniform(size=n_events) < 0.25, squared, cosine)
    azimuth = rng.uniform(-np.pi, np.pi, n_events)
    sine = np.sqrt(1.0 - cosine**2)
    mass = np.sqrt(np.maximum(pair[:, 3] ** 2 - np.sum(pair[:, :3] ** 2, axis=1), 0.0))
    momentum = np.sqrt(mass**2 / 4.0 - MASS_MUON_GEV**2)
    direction = np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine], axis=1)
    first, second = (
        np.concatenate([sign * momentum[:, None] * direction, mass[:, None] / 2.0], axis=1)
        for sign in (1.0, -1.0)
    )
    return boosted(first, pair), boosted(second, pair)


def _smeared(p4: Array, resolution: float, rng: np.random.Generator) -> dict[str, Any]:
    """pt, eta, phi of particles, with a Gaussian resolution of pt."""
    pt = np.hypot(p4[:, 0], p4[:, 1])
    return {
        "pt": pt * np.maximum(1.0 + resolution * rng.standard_normal(len(pt)), 0.1),
        "eta": np.arcsinh(p4[:, 2] / pt),
        "phi": np.arctan2(p4[:, 1], p4[:, 0]),
    }


def _ordered(muons: list[dict[str, Any]], isolation: Array) -> ak.Array:
    """The muons of an event by falling pT, those that leave the detector left out."""
    fields = {name: np.stack([muon[name] for muon in muons], axis=1) for name in muons[0]}
    fields["pfRelIso04_all"] = isolation.T
    fields["tightId"] = np.ones(isolation.T.shape, np.bool_)
    collection = ak.Array({"muon": ak.zip({name: _stored(v) for name, v in fields.items()})}).muon
    collection = collection[(collection.pt > 5.0) & (abs(collection.eta) < 2.5)]
    return collection[ak.argsort(collection.pt, ascending=False)]


def _jets(recoil: Array, rng: np.random.Generator) -> ak.Array:
    """One jet that balances the pair, and soft ones, above a threshold; by falling pT."""
    counts = 1 + rng.poisson(0.4, len(recoil))
    event, total = np.repeat(np.arange(len(recoil)), counts), int(counts.sum())
    is_first = np.append(True, event[1:] != event[:-1])
    pt = np.where(is_first, np.hypot(*recoil[event].T), rng.exponential(20.0, total))
    phi = np.where(
        is_first, np.arctan2(recoil[event, 1], recoil[event, 0]), rng.uniform(-np.pi, np.pi, total)
    )
    pt = pt * np.maximum(1.0 + JET_RESOLUTION * rng.standard_normal(total), 0.1)
    fields = {"pt": pt, "eta": rng.normal(0.0, 1.8, total), "phi": phi, "mass": 0.12 * pt}
    fields["jetId"] = np.full(total, _TIGHT)
    jets = ak.unflatten(ak.zip({name: _stored(values) for name, values in fields.items()}), counts)
    jets = jets[(jets.pt > JET_PT_MIN_GEV) & (abs(jets.eta) < 4.7)]
    return jets[ak.argsort(jets.pt, ascending=False)]


def _stored(values: NDArray[Any]) -> ak.Array:
    """Numbers as NanoAOD stores them, a list of them per event where there are several."""
    single = values.astype({"f": np.float32, "i": np.int32}.get(values.dtype.kind, values.dtype))
    return ak.from_regular(single) if single.ndim > 1 else ak.Array(single)


def write_samples(folder: Path, *, lumi_ifb: float, seed: int) -> dict[str, Path]:
    """Writes a NanoAOD-like file of each kind and one of pseudo-data; dataset → file.

    Args:
        folder: for the files.
        lumi_ifb: integrated luminosity of the pseudo-data.
        seed: of all random numbers.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for name, sample in SAMPLES.items():
        found[name] = folder / f"{name}.root"
        _write(found[name], draw_pairs(sample, sample.n_events, rng), is_data=False)
    counts = [rng.poisson(sample.xsec_pb * 1e3 * lumi_ifb) for sample in SAMPLES.values()]
    parts = [draw_pairs(sample, n, rng) for sample, n in zip(SAMPLES.values(), counts, strict=True)]
    order = rng.permutation(sum(counts))
    mixed = {name: ak.concatenate([part[name] for part in parts])[order] for name in parts[0]}
    found["data"] = folder / "data.root"
    _write(found["data"], mixed, is_data=True)
    return found


def _write(path: Path, branches: dict[str, Any], *, is_data: bool) -> None:
    n_events = len(branches["MET_pt"])
    numbers = np.arange(n_events)
    events = {
        "run": np.ones(n_events, np.uint32),
        "luminosityBlock": (numbers // 1000 + 1).astype(np.uint32),
        "event": (numbers + 1).astype(np.uint64),
        **{name: ak.Array(values) for name, values in branches.items()},
    }
    runs: dict[str, Any] = {"run": np.ones(1, np.uint32)}
    if not is_data:
        events["genWeight"] = np.ones(n_events, np.float32)
        total = np.array([n_events])
        runs |= {"genEventCount": total, "genEventSumw": total * 1.0, "genEventSumw2": total * 1.0}
    write(path, {name: ak.Array(v) for name, v in events.items()}, runs, {"made_of": path.stem})
