"""Jets beside a Z boson at particle level, shower alone and merged, against a measurement of ATLAS.

    python benchmarks/merged_jets.py [--events 10000] [--seed 1] [RECIPE ...]

σ(Z + ≥ 1, 2, 3 jets) / σ(Z) is 0.157, 0.0365, 0.0084 in arXiv:1702.05725: leptons of pT > 25 GeV and
|η| < 2.5, 71 < m < 111 GeV, for which the two τ stand here before their decay; anti-kT 0.4 jets of
pT > 30 GeV and |y| < 2.5, more than 0.4 from both. Recipes of Sherpa need Python 3.12 or 3.13.
"""

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.recipes import RECIPES
from znought.simulation.generator import generating
from znought.simulation.recipe import Recipe
from znought.simulation.truth import Truth, truth_of

Array = NDArray[np.float64]

MEASURED = (0.157, 0.0365, 0.0084)
WITHIN = (0.15, 0.15, 0.25)
BATCH_SIZE = 250
DEFAULT = ("ztautau", "ztautau_jets")


def n_jets_of(truth: Truth) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each event has a Z boson in the fiducial volume, and its number of jets."""
    p4 = truth.source
    pt = np.hypot(p4[..., 0], p4[..., 1])
    eta, phi = np.arcsinh(p4[..., 2] / pt), np.arctan2(p4[..., 1], p4[..., 0])
    pair = p4.sum(axis=1)
    mass = np.sqrt(np.maximum(pair[:, 3] ** 2 - np.sum(pair[:, :3] ** 2, axis=1), 0.0))
    is_z = np.all((pt > 25.0) & (np.abs(eta) < 2.5), axis=1) & (mass > 71.0) & (mass < 111.0)
    jets = (truth.jet_pt > 30.0) & (np.abs(_rapidity(truth)) < 2.5)
    for i in (0, 1):
        d_phi = np.remainder(truth.jet_phi - phi[:, i : i + 1] + np.pi, 2.0 * np.pi) - np.pi
        jets &= (truth.jet_eta - eta[:, i : i + 1]) ** 2 + d_phi**2 > 0.4**2
    return is_z, np.sum(jets, axis=1)


def _rapidity(truth: Truth) -> Array:
    transverse = np.hypot(truth.jet_mass, truth.jet_pt)
    return np.arcsinh(truth.jet_pt * np.sinh(truth.jet_eta) / np.maximum(transverse, 1e-9))


def counted(recipe: Recipe, n_events: int, seed: int) -> tuple[Array, Array, float, float]:
    """Σw and Σw² of Z bosons with at least 0 to 3 jets, cross section in pb and seconds of the events."""
    found, squared = np.zeros(4), np.zeros(4)
    with generating(replace(recipe, parton_filter=None, jet_filter=None), seed) as generator:
        start = time.perf_counter()
        for _ in range(-(-n_events // BATCH_SIZE)):
            batch = generator.batch(BATCH_SIZE)
            is_z, n_jets = n_jets_of(truth_of(batch.records, recipe.leptons))
            weights = [batch.weights[is_z & (n_jets >= n)] for n in range(4)]
            found += [np.sum(some) for some in weights]
            squared += [np.sum(some**2) for some in weights]
        return found, squared, generator.sigma_pb, time.perf_counter() - start


def row(name: str, n_events: int, seed: int) -> str:
    """One line of the table: ratios with their statistical errors, and their ratio to the measurement."""
    found, squared, sigma_pb, seconds = counted(RECIPES[name], n_events, seed)
    cells = [name, f"{sigma_pb:.0f}", f"{n_events / seconds:.0f}"]
    for n in (1, 2, 3):
        ratio, measured = found[n] / found[0], MEASURED[n - 1]
        error = np.sqrt((1.0 - 2.0 * ratio) * squared[n] + ratio**2 * squared[0]) / found[0]
        holds = "" if abs(ratio / measured - 1.0) < WITHIN[n - 1] else " (!)"
        cells.append(f"{ratio:.4f} ± {error:.4f} = {ratio / measured:.2f} ± {error / measured:.2f}{holds}")
    return "| " + " | ".join(cells) + " |\n"


HEADER = ("recipe", "σ [pb]", "events/s", "≥ 1 jet = of ATLAS", "≥ 2 jets", "≥ 3 jets")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=DEFAULT)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.stdout.write("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|\n")
    sys.stdout.write("| " + " | ".join(["ATLAS", "", "", *map(str, MEASURED)]) + " |\n")
    for recipe in options.recipes:
        sys.stdout.write(row(recipe, options.events, options.seed))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
