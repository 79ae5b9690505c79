"""Selected events per second and core of every recipe, beside a plain Pythia loop's.

    python benchmarks/simulation.py [--events 4000] [RECIPE ...]

Selection: the preselection of the VH(WW) analysis with its default cuts, b-veto as a weight. The plain
loop generates every event in full, decays included, tags b jets at random and has one response per event.
Sherpa's processes count, without the integration; its recipes are left out where it is not installed.
"""

import argparse
import os
import sys
import tempfile

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from znought.analyses.vh_ww.recipes import RECIPES
from znought.simulation.config import SimulationConfig
from znought.simulation.jobs import JobSummary, SimulationJob, run_job
from znought.simulation.sherpa.installed import is_installed

# (recipe, responses, selected events per second and core of the plain loop)
CASES = (
    ("wplush_qqww", 4, 20.0),
    ("wminush_qqww", 4, 20.0),
    ("zh_qqww", 4, 20.0),
    ("ggf_ww", 4, 4.0),
    ("vbf_ww", 4, 28.0),
    ("ttbar_ll", 6, 2.7),
    ("ztautau", 20, 0.5),
    ("ww_ll", 4, 4.0),
    ("wz_lll", 2, None),
    ("wz_qqtautau", 6, None),
    ("zz_qqtautau", 6, None),
    ("ztautau_jets", 80, None),
    ("ww_jet", 6, None),
    ("ttbar_jet", 6, None),
    ("wt_ll", 6, None),
    ("w_jets", 2, None),
    ("ttbar_lj", 2, None),
)


def selected(events: ak.Array) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Rows that pass the preselection but for the b-veto, and the probability of passing that."""
    leptons = {}
    for name in ("Electron", "Muon"):
        keep = (events[f"{name}_pt"] > 10.0) & (abs(events[f"{name}_eta"]) < 2.5)
        keep = keep & (events[f"{name}_pfRelIso03_all"] < 0.15)
        leptons[name] = {v: events[f"{name}_{v}"][keep] for v in ("pt", "eta", "phi", "charge")}
    electron, muon = leptons["Electron"], leptons["Muon"]
    one_each = (ak.num(electron["pt"]) == 1) & (ak.num(muon["pt"]) == 1)
    first = {
        v: [ak.to_numpy(ak.fill_none(ak.firsts(lep[v]), 0.0)) for lep in (electron, muon)] for v in electron
    }
    pt, eta, phi, charge = (np.array(first[v]) for v in ("pt", "eta", "phi", "charge"))
    m_ll = np.sqrt(2.0 * pt[0] * pt[1] * (np.cosh(eta[0] - eta[1]) - np.cos(phi[0] - phi[1])))
    clean = ak.ones_like(events.Jet_pt, dtype=bool)
    for i in (0, 1):
        d_phi = np.remainder(events.Jet_phi - phi[i] + np.pi, 2.0 * np.pi) - np.pi
        clean = clean & ((events.Jet_eta - eta[i]) ** 2 + d_phi**2 > 0.4**2)
    jets = clean & (events.Jet_pt > 30.0) & (abs(events.Jet_eta) < 4.5)
    veto = ak.to_numpy(
        ak.prod(ak.where(clean & (events.Jet_pt > 20.0), 1.0 - events.Jet_btagProb85, 1.0), axis=1)
    )
    passed = ak.to_numpy(one_each & (ak.sum(jets, axis=1) >= 2)) & (charge[0] * charge[1] < 0)
    passed &= (pt.max(axis=0) > 22.0) & (pt.min(axis=0) > 15.0) & (m_ll > 10.0)
    return passed, veto


def measure(
    recipe: str, n_responses: int, n_events: int, directory: str
) -> tuple[JobSummary, int, int, float]:
    """The job's summary, selected rows, distinct selected events, and their effective number."""
    detector = SimulationConfig().detector
    job = SimulationJob(recipe, RECIPES[recipe], 0, n_events, n_responses, seed=1, detector=detector)
    summary = run_job(job, directory)
    with uproot.open(summary.path) as file:
        events = file["Events"].arrays()
    passed, veto = selected(events)
    weight = ak.to_numpy(events.genWeight)[passed] * veto[passed]
    _, index = np.unique(ak.to_numpy(events.event)[passed], return_inverse=True)
    by_event = np.bincount(index, weight)
    return summary, int(passed.sum()), len(by_event), float(by_event.sum() ** 2 / (by_event**2).sum())


def row(recipe: str, n_responses: int, n_events: int, plain: float | None, directory: str) -> str:
    """One line of the table; rates are per second of processor time, of ended processes too."""
    start = sum(os.times()[:4])
    summary, rows, distinct, effective = measure(recipe, n_responses, n_events, directory)
    seconds = sum(os.times()[:4]) - start
    cells = [recipe, f"{n_responses}", f"{summary.n_events / summary.n_attempted:.3f}"]
    cells += [f"{n / seconds:.0f}" for n in (summary.n_events, rows, distinct, effective)]
    cells += [f"{rows / summary.n_events:.3f}", f"{distinct / summary.n_events:.3f}"]
    cells += ["", ""] if plain is None else [f"{plain:g}", f"{rows / seconds / plain:.0f}"]
    return "| " + " | ".join(cells) + " |\n"


HEADER = (
    "recipe", "responses", "filter", "generated/s", "rows/s", "distinct/s", "effective/s",
    "rows/event", "distinct/event", "plain rows/s", "gain",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="*")
    parser.add_argument("--events", type=int, default=4000)
    options = parser.parse_args()
    sys.stdout.write("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|\n")
    for recipe, n_responses, plain in CASES:
        is_there = RECIPES[recipe].matrix_element is None or is_installed()
        if is_there and (not options.recipes or recipe in options.recipes):
            with tempfile.TemporaryDirectory() as scratch:
                sys.stdout.write(row(recipe, n_responses, options.events, plain, scratch))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
