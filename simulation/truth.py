"""From event records to what the detector sees: rectangular arrays, zero-padded."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import awkward as ak
import fastjet
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.simulation.pythia import charges
from znought.simulation.recipe import LeptonSource

__all__ = ["Truth", "jets_of", "truth_of"]

Array = NDArray[np.float64]
_T = TypeVar("_T", bound=np.generic)

JET_RADIUS = 0.4
JET_PT_MIN_GEV = 7.0
HEAVY_HADRON_PT_MIN_GEV = 5.0
HEAVY_HADRON_RADIUS = 0.3
ETA_MAX = 4.9
_NEUTRINOS = (12, 14, 16)
_FIRST_HADRON_STATUS = 80  # statuses below belong to the hard process, showers and remnants
_COLUMNS = ("id", "status", "mother1")


@dataclass(frozen=True)
class Truth:
    """Particle level of a batch of events; second axes are padded with pt = 0 (id = 0).

    Attributes:
        source: prompt four-momenta that the leptons derive from, shape (n, k, 4): the Higgs boson, the
            two charged leptons, the two τ, or all prompt light leptons of the record.
        source_id: their PDG identifiers, shape (n, k).
        jet_pt, jet_eta, jet_phi, jet_mass: anti-kT 0.4 jets of all visible particles but prompt leptons.
        jet_flavour: 5, 4 or 0, by the heaviest hadron within ΔR < 0.3.
        pt, eta, phi, is_charged: visible particles but prompt leptons, |η| < 4.9, shape (n, n_particles).
        recoil: transverse momentum sum of those, shape (n, 2).
    """

    source: Array
    source_id: NDArray[np.int32]
    jet_pt: Array
    jet_eta: Array
    jet_phi: Array
    jet_mass: Array
    jet_flavour: NDArray[np.int32]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    phi: NDArray[np.float32]
    is_charged: NDArray[np.bool_]
    recoil: Array

    def __len__(self) -> int:
        return int(self.source.shape[0])


@dataclass(frozen=True)
class _Flat:
    """All record entries of a batch in one row each."""

    event: NDArray[np.int64]
    pdg_id: NDArray[np.int32]
    status: NDArray[np.int32]
    mother: NDArray[np.int64]
    p4: Array
    n_events: int


def truth_of(records: ak.Array, leptons: LeptonSource) -> Truth:
    """The particle level of a batch of event records, with Pythia's fields and status codes."""
    flat = _flatten(records)
    final = flat.status > 0
    source = final & _is_source(flat, leptons)
    id_abs = np.abs(flat.pdg_id)
    visible = final & ~source & ~np.isin(id_abs, _NEUTRINOS) & (id_abs != 15)
    index = np.flatnonzero(visible)
    pt, eta, phi = _directions(flat.p4[index])
    inside = np.abs(eta) < ETA_MAX
    index, pt, eta, phi = index[inside], pt[inside], eta[inside], phi[inside]
    event, n = flat.event[index], flat.n_events
    charged = charges(flat.pdg_id[index]) != 0
    jets = jets_of(flat.p4[index], event, n)
    flavour = _flavour(jets, *_heavy_hadrons(flat), n_events=n)
    recoil: Array = np.stack([np.bincount(event, flat.p4[index, i], minlength=n) for i in (0, 1)], axis=1)
    source_index = np.flatnonzero(source)
    source_p4, source_id = _source(flat, source_index, leptons)
    return Truth(
        source=source_p4,
        source_id=source_id,
        jet_pt=jets[0],
        jet_eta=jets[1],
        jet_phi=jets[2],
        jet_mass=jets[3],
        jet_flavour=flavour,
        pt=_pad(pt.astype(np.float32), event, n),
        eta=_pad(eta.astype(np.float32), event, n),
        phi=_pad(phi.astype(np.float32), event, n),
        is_charged=_pad(charged, event, n),
        recoil=recoil,
    )


def _flatten(records: ak.Array) -> _Flat:
    counts = ak.to_numpy(ak.num(records))
    event = np.repeat(np.arange(len(counts)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    pdg_id, status, mother = (ak.to_numpy(ak.flatten(records[name])) for name in _COLUMNS)
    p4 = np.stack([ak.to_numpy(ak.flatten(records.p[name])) for name in ("px", "py", "pz", "e")], axis=1)
    return _Flat(event, pdg_id, status, first + mother, p4, len(counts))


def _is_source(flat: _Flat, leptons: LeptonSource) -> NDArray[np.bool_]:
    id_abs = np.abs(flat.pdg_id)
    early: NDArray[np.bool_] = np.abs(flat.status) < _FIRST_HADRON_STATUS
    light = np.isin(id_abs, (11, 13))
    prompt_tau = early & (id_abs == 15)
    match leptons:
        case "higgs_ww":
            chosen = id_abs == 25
        case "tau_pair":
            chosen = prompt_tau
        case "w_pair" | "w":
            chosen = light & early
        case "record":
            chosen = light & (early | prompt_tau[flat.mother])
    return np.asarray(chosen)


_N_SOURCE = {"higgs_ww": 1, "tau_pair": 2, "w_pair": 2, "w": 1}


def _source(flat: _Flat, index: NDArray[np.int64], leptons: LeptonSource) -> tuple[Array, NDArray[np.int32]]:
    """Prompt momenta by event, antiparticles first."""
    order = np.lexsort((flat.pdg_id[index], flat.event[index]))
    index = index[order]
    event = flat.event[index]
    expected = _N_SOURCE.get(leptons)
    counts = np.bincount(event, minlength=flat.n_events)
    if expected is not None and not np.all(counts == expected):
        received = ", ".join(str(count) for count in np.unique(counts))
        raise DataError(
            f"Generated events must have {expected} prompt {leptons} sources. Received: {received}."
        )
    p4 = np.stack([_pad(flat.p4[index, i], event, flat.n_events) for i in range(4)], axis=-1)
    return p4, _pad(flat.pdg_id[index], event, flat.n_events)


def _directions(p4: Array) -> tuple[Array, Array, Array]:
    pt = np.maximum(np.hypot(p4[:, 0], p4[:, 1]), 1e-9)
    return pt, np.arcsinh(p4[:, 2] / pt), np.arctan2(p4[:, 1], p4[:, 0])


def _pad(values: NDArray[_T], event: NDArray[np.int64], n_events: int) -> NDArray[_T]:
    """Values in event order as a rectangle (n_events, largest multiplicity), zero-padded."""
    counts = np.bincount(event, minlength=n_events)
    place = np.arange(len(event)) - np.repeat(np.cumsum(counts) - counts, counts)
    rectangle = np.zeros((n_events, max(int(counts.max(initial=0)), 1)), dtype=values.dtype)
    rectangle[event, place] = values
    return rectangle


def jets_of(p4: Array, event: NDArray[np.int64], n_events: int) -> tuple[Array, Array, Array, Array]:
    """Anti-kT jets above 7 GeV, by decreasing pT: pt, eta, phi, mass, each (n_events, n_jets)."""
    counts = np.bincount(event, minlength=n_events)
    fields = dict(zip(("px", "py", "pz", "E"), p4.T, strict=True))
    particles = ak.unflatten(ak.zip(fields, with_name="Momentum4D"), counts)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, JET_RADIUS)
    with _no_banner():
        jets = fastjet.ClusterSequence(particles, definition).inclusive_jets(min_pt=JET_PT_MIN_GEV)
    of_event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(jets)))
    flat = np.stack([ak.to_numpy(ak.flatten(jets[name])) for name in ("px", "py", "pz", "E")], axis=1)
    pt, eta, phi = _directions(flat)
    mass = np.sqrt(np.maximum(flat[:, 3] ** 2 - np.sum(flat[:, :3] ** 2, axis=1), 0.0))
    order = np.lexsort((-pt, of_event))
    pt, eta, phi, mass = (_pad(values[order], of_event[order], n_events) for values in (pt, eta, phi, mass))
    return pt, eta, phi, mass


@contextmanager
def _no_banner() -> Iterator[None]:
    """fastjet writes its banner to the process's standard output at the first clustering, and only there."""
    sys.stdout.flush()
    saved = os.dup(1)
    with open(os.devnull, "wb") as sink:  # noqa: PTH123  (a file descriptor is wanted)
        os.dup2(sink.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _heavy_hadrons(flat: _Flat) -> tuple[Array, Array, NDArray[np.int32]]:
    """eta, phi and content (5, 4; 0 = padding) of b and c hadrons above 5 GeV, each (n_events, n_hadrons)."""
    id_abs = np.abs(flat.pdg_id)
    heaviest = np.where(id_abs > 100, np.maximum(id_abs // 1000 % 10, id_abs // 100 % 10), 0)
    late = np.abs(flat.status) >= _FIRST_HADRON_STATUS
    heavy = np.isin(heaviest, (4, 5)) & late
    index = np.flatnonzero(heavy)
    pt, eta, phi = _directions(flat.p4[index])
    hard = pt > HEAVY_HADRON_PT_MIN_GEV
    index, event = index[hard], flat.event[index][hard]
    content = heaviest[index].astype(np.int32)
    return (
        _pad(eta[hard], event, flat.n_events),
        _pad(phi[hard], event, flat.n_events),
        _pad(content, event, flat.n_events),
    )


def _flavour(
    jets: tuple[Array, Array, Array, Array],
    eta: Array,
    phi: Array,
    content: NDArray[np.int32],
    *,
    n_events: int,
) -> NDArray[np.int32]:
    d_eta = jets[1][:, :, None] - eta[:, None, :]
    d_phi = np.remainder(jets[2][:, :, None] - phi[:, None, :] + np.pi, 2.0 * np.pi) - np.pi
    near = (d_eta**2 + d_phi**2 < HEAVY_HADRON_RADIUS**2) & (jets[0][:, :, None] > 0.0)
    return np.asarray(np.max(np.where(near, content[:, None, :], 0), axis=2), dtype=np.int32)
