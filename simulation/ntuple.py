"""NanoAOD-like ROOT files: `Events` (rows), `Runs` (sums over all generated events), the job's own record."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from znought.simulation.detector import Jets, Leptons, Response

__all__ = ["JOB_KEY", "merge", "read_job", "rows_of", "write"]

JOB_KEY = "job"
_MASS_GEV = {11: 0.000511, 13: 0.10566}
_SIMULATION_ONLY = ("response", "genWeight")
_JETS_SIMULATION_ONLY = ("hadronFlavour", "btagProb85")

Columns = dict[str, Any]


def rows_of(
    response: Response, identity: Mapping[str, NDArray[Any]], weights: Mapping[str, NDArray[Any]]
) -> Columns:
    """Branches of one response: objects as jagged records, the rest flat.

    Args:
        response: what the detector recorded.
        identity: `run`, `luminosityBlock`, `event` and, in simulation, `response` of each row.
        weights: `genWeight` and any extra weights of each row; empty for data.
    """
    is_simulation = bool(weights)
    id_abs = np.abs(response.leptons.pdg_id)
    return {
        **identity,
        **{name: np.asarray(values, dtype=np.float64) for name, values in weights.items()},
        "Electron": _lepton_record(response.leptons, id_abs == 11, _MASS_GEV[11]),
        "Muon": _lepton_record(response.leptons, id_abs == 13, _MASS_GEV[13]),
        "Jet": _jet_record(response.jets, is_simulation=is_simulation),
        **_vector("MET", response.met),
        "MET_significance": response.met_significance.astype(np.float32),
        **_vector("TkMET", response.track_met),
        "SoftActivity_ht": response.soft_activity.astype(np.float32),
    }


def _vector(name: str, xy: NDArray[np.float64]) -> Columns:
    return {
        f"{name}_pt": np.hypot(xy[:, 0], xy[:, 1]).astype(np.float32),
        f"{name}_phi": np.arctan2(xy[:, 1], xy[:, 0]).astype(np.float32),
    }


def _jagged(fields: Mapping[str, NDArray[Any]], mask: NDArray[np.bool_]) -> ak.Array:
    counts = np.sum(mask, axis=1)
    return ak.zip({name: ak.unflatten(values[mask], counts) for name, values in fields.items()})


def _lepton_record(leptons: Leptons, is_flavour: NDArray[np.bool_], mass_gev: float) -> ak.Array:
    fields = {
        "pt": leptons.pt.astype(np.float32),
        "eta": leptons.eta.astype(np.float32),
        "phi": leptons.phi.astype(np.float32),
        "mass": np.full(leptons.pt.shape, mass_gev, dtype=np.float32),
        "charge": -np.sign(leptons.pdg_id).astype(np.int32),
        "pdgId": leptons.pdg_id,
        "pfRelIso03_all": leptons.isolation.astype(np.float32),
    }
    return _jagged(fields, is_flavour & (leptons.pt > 0.0))


def _jet_record(jets: Jets, *, is_simulation: bool) -> ak.Array:
    fields = {
        "pt": jets.pt.astype(np.float32),
        "eta": jets.eta.astype(np.float32),
        "phi": jets.phi.astype(np.float32),
        "mass": jets.mass.astype(np.float32),
        "btagDiscriminant": jets.discriminant.astype(np.float32),
        "hadronFlavour": jets.flavour,
        "btagProb85": jets.probability_85.astype(np.float32),
    }
    if not is_simulation:
        fields = {name: values for name, values in fields.items() if name not in _JETS_SIMULATION_ONLY}
    return _jagged(fields, jets.pt > 0.0)


def merge(parts: list[Columns]) -> Columns:
    """Rows of many responses, ordered by (event, response)."""
    names = parts[0].keys()
    columns = {name: ak.concatenate([part[name] for part in parts]) for name in names}
    keys = [ak.to_numpy(columns[name]) for name in ("response", "event") if name in columns]
    order = np.lexsort(keys)
    return {name: values[order] for name, values in columns.items()}


def write(path: Path, events: Columns, runs: Mapping[str, NDArray[Any]], job: Mapping[str, Any]) -> None:
    """The whole file or nothing: written under a temporary name, then moved into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with uproot.recreate(temporary, compression=uproot.ZSTD(3)) as file:
            file.mktree("Events", {name: ak.type(values).content for name, values in events.items()})
            file["Events"].extend(events)
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
