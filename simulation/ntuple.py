"""NanoAOD-like ROOT files: `Events` (rows), `Runs` (sums over all generated events), the job's own record."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from znought.simulation.detector import Jets, Leptons, Response

__all__ = ["JOB_KEY", "Rows", "merge", "read_job", "rows_of", "write"]

JOB_KEY = "job"
_MASS_GEV = {11: 0.000511, 13: 0.10566}
_SIMULATION_ONLY = ("hadronFlavour", "btagProb85", "genPartFlav")

Branches = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Rows:
    """Branches of some rows.

    Attributes:
        flat: one value per row, by branch.
        counts: objects per row, by collection.
        objects: one value per object, by collection and branch.
    """

    flat: Branches
    counts: Branches
    objects: dict[str, Branches]


def rows_of(
    response: Response, identity: Mapping[str, NDArray[Any]], weights: Mapping[str, NDArray[Any]]
) -> Rows:
    """Branches of one response.

    Args:
        response: what the detector recorded.
        identity: `run`, `luminosityBlock`, `event` and, in simulation, `response` of each row.
        weights: `genWeight` and any extra weights of each row; empty for data.
    """
    leptons, jets = response.leptons, response.jets
    id_abs, found = np.abs(leptons.pdg_id), leptons.pt > 0.0
    masks = {"Electron": found & (id_abs == 11), "Muon": found & (id_abs == 13), "Jet": jets.pt > 0.0}
    fields = {
        "Electron": _lepton_fields(leptons, _MASS_GEV[11]),
        "Muon": _lepton_fields(leptons, _MASS_GEV[13]),
        "Jet": _jet_fields(jets),
    }
    return Rows(
        flat={
            **identity,
            **{name: np.asarray(values, dtype=np.float64) for name, values in weights.items()},
            **_vector("MET", response.met),
            "MET_significance": response.met_significance.astype(np.float32),
            **_vector("TkMET", response.track_met),
            "SoftActivity_ht": response.soft_activity.astype(np.float32),
            **_vertices(response, is_simulation=bool(weights)),
        },
        counts={name: np.sum(mask, axis=1) for name, mask in masks.items()},
        objects={
            name: {
                field: values[masks[name]]
                for field, values in branches.items()
                if weights or field not in _SIMULATION_ONLY
            }
            for name, branches in fields.items()
        },
    )


def _vector(name: str, xy: NDArray[np.float64]) -> Branches:
    return {
        f"{name}_pt": np.hypot(xy[:, 0], xy[:, 1]).astype(np.float32),
        f"{name}_phi": np.arctan2(xy[:, 1], xy[:, 0]).astype(np.float32),
    }


def _vertices(response: Response, *, is_simulation: bool) -> Branches:
    """Reconstructed vertices and, in simulation, interactions, under the names that NanoAOD has."""
    vertices = response.n_vertices.astype(np.int32)
    seen = {"PV_npvs": vertices, "PV_npvsGood": vertices}
    if not is_simulation:
        return seen
    mean = response.pile_up_mean.astype(np.float32)
    return {**seen, "Pileup_nTrueInt": mean, "Pileup_nPU": response.n_pile_up.astype(np.int32)}


def _lepton_fields(leptons: Leptons, mass_gev: float) -> Branches:
    return {
        "pt": leptons.pt.astype(np.float32),
        "eta": leptons.eta.astype(np.float32),
        "phi": leptons.phi.astype(np.float32),
        "mass": np.full(leptons.pt.shape, mass_gev, dtype=np.float32),
        "charge": -np.sign(leptons.pdg_id).astype(np.int32),
        "pdgId": leptons.pdg_id,
        "pfRelIso03_all": leptons.isolation.astype(np.float32),
        "genPartFlav": leptons.origin.astype(np.uint8),
    }


def _jet_fields(jets: Jets) -> Branches:
    return {
        "pt": jets.pt.astype(np.float32),
        "eta": jets.eta.astype(np.float32),
        "phi": jets.phi.astype(np.float32),
        "mass": jets.mass.astype(np.float32),
        "btagDiscriminant": jets.discriminant.astype(np.float32),
        "jvt": jets.jvt.astype(np.float32),
        "hadronFlavour": jets.flavour,
        "btagProb85": jets.probability_85.astype(np.float32),
    }


def merge(parts: Sequence[Rows]) -> dict[str, Any]:
    """Branches of all rows, ordered by (event, response): flat arrays, and records of objects."""
    if not parts:
        return {}
    flat = {name: np.concatenate([part.flat[name] for part in parts]) for name in parts[0].flat}
    order = np.lexsort([flat[name] for name in ("response", "event") if name in flat])
    columns: dict[str, Any] = {name: values[order] for name, values in flat.items()}
    for name, branches in parts[0].objects.items():
        fields = {field: np.concatenate([part.objects[name][field] for part in parts]) for field in branches}
        counts = np.concatenate([part.counts[name] for part in parts])
        columns[name] = ak.unflatten(ak.zip(fields), counts)[order]
    return columns


def write(
    path: Path, events: Mapping[str, Any], runs: Mapping[str, NDArray[Any]], job: Mapping[str, Any]
) -> None:
    """The whole file or nothing: written under a temporary name, then moved into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with uproot.recreate(temporary, compression=uproot.ZSTD(3)) as file:
            file.mktree("Events", {name: ak.type(values).content for name, values in events.items()})
            file["Events"].extend(dict(events))
            file.mktree("Runs", {name: values.dtype for name, values in runs.items()})
            file["Runs"].extend(dict(runs))
            file[JOB_KEY] = json.dumps(job, sort_keys=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_job(path: Path) -> dict[str, Any] | None:
    """The job's record in a file that this room wrote whole; None for any other or damaged file."""
    if not path.is_file():
        return None
    try:
        with uproot.open(path) as file:
            record: dict[str, Any] = json.loads(str(file[JOB_KEY]))
            file["Events"], file["Runs"]
    except (OSError, ValueError, KeyError, EOFError, uproot.DeserializationError):
        return None
    return record
