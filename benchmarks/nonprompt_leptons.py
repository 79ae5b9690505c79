"""Electrons and muons of b and c decays in jets, by Pythia 8: how many, and with which share of the momentum.

    python -m benchmarks.nonprompt_leptons [--events 5000] [--seed 11]

tt̄ → ℓν qq', jets of pT > 20 GeV and |η| < 2.5 without neutrinos; the hardest lepton of each flavour within
ΔR < 0.4 of the jet's axis. `simulation.misidentification` has the numbers.
"""

import argparse
import sys
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.recipes import RECIPES
from znought.simulation.generator import generating
from znought.simulation.truth import truth_of

BATCH_SIZE = 250
PT_MIN_GEV, ETA_MAX, RADIUS = 20.0, 2.5, 0.4
FIRST_HADRON_STATUS = 80
NAMES = {0: "light", 4: "c", 5: "b"}


def counted(n_events: int, seed: int) -> tuple[dict[int, int], dict[int, list[float]]]:
    """Jets, and pT(ℓ)/pT(jet) of their leptons, by flavour of the jet."""
    jets: dict[int, int] = defaultdict(int)
    shares: dict[int, list[float]] = defaultdict(list)
    recipe = RECIPES["ttbar_lj"]
    with generating(recipe, seed) as generator:
        for _ in range(-(-n_events // BATCH_SIZE)):
            records = generator.batch(BATCH_SIZE).records
            truth = truth_of(records, recipe.leptons)
            inside = (truth.jet_pt > PT_MIN_GEV) & (np.abs(truth.jet_eta) < ETA_MAX)
            for event, jet in zip(*np.nonzero(inside), strict=True):
                flavour = int(truth.jet_flavour[event, jet])
                axis = truth.jet_pt[event, jet], truth.jet_eta[event, jet], truth.jet_phi[event, jet]
                jets[flavour] += 1
                shares[flavour] += _shares(records[event], *axis)
    return jets, shares


def _shares(record: object, pt: float, eta: float, phi: float) -> list[float]:
    """Of the hardest electron and of the hardest muon near a jet."""
    late = record[record.status > FIRST_HADRON_STATUS]  # type: ignore[index, attr-defined]
    found = []
    for code in (11, 13):
        mine = late[np.abs(late.id) == code].p
        px, py, pz = (np.asarray(getattr(mine, name), np.float64) for name in ("px", "py", "pz"))
        of = np.maximum(np.hypot(px, py), 1e-9)
        near = np.hypot(np.arcsinh(pz / of) - eta, _wrapped(np.arctan2(py, px) - phi)) < RADIUS
        if np.any(near):
            found.append(float(of[near].max() / pt))
    return found


def _wrapped(phi: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.remainder(phi + np.pi, 2.0 * np.pi) - np.pi


def main() -> None:
    """Prints one line per flavour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    jets, shares = counted(options.events, options.seed)
    for flavour in sorted(jets):
        n, found = jets[flavour], np.array(shares[flavour])
        deciles = np.quantile(found, np.linspace(0.0, 1.0, 11)).round(3) if found.size else []
        line = f"{NAMES[flavour]}: {n} jets, {found.size / 2 / n:.4f} leptons of each flavour, {deciles}\n"
        sys.stdout.write(line)


if __name__ == "__main__":
    main()
