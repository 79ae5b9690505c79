"""The numbers behind the tests of the SMEFT matrix element.

    python -m benchmarks.smeft_matrix_element

Current conservation, independence of the frame, the standard-model limit against the generator's decay
angles, growth of the cross sections above cuts on pT(V) beside the references, range of the weights and
effective sample sizes. Markdown tables; takes about a minute.
"""

import numpy as np

from benchmarks.tables import CONSOLE, row
from tests.analyses.vh_bb.test_hard_process import chi2_per_bin, generate, square
from tests.analyses.vh_bb.test_matrix_element import hard_process, mapped, random_rotation
from znought.analyses.vh_bb import matrix_element as smeft

VALUES = (0.001, 0.01, 0.03)
REFERENCE = {100.0: (1.043, 1.57, 3.62), 160.0: (1.083, 2.19, 6.98), 200.0: (1.118, 2.81, 10.7)}
QUOTED_0L = (1.083, 2.243, 6.897)


def show_invariants() -> None:
    """Largest violations over random events."""
    row("check", "ZH", "WH")
    row(*("---",) * 3)
    conserved, moved = [], []
    for charged in (False, True):
        hard = hard_process(2000, 1, charged=charged)
        worst = 0.0
        for a, b in ((hard.antiquark, hard.quark), (hard.fermion, hard.antifermion)):
            j, total = smeft.current(a, b), a + b
            scale = np.abs(j).max(axis=1) * np.abs(total).max(axis=1)
            worst = max(worst, float(np.abs(smeft.contract(j, total) / scale).max()))
        conserved.append(f"{worst:.1e}")
        points = [(0.001, 0.0), (0.03, 0.0), (-0.03, 0.05)]
        there = smeft.weights(mapped(hard, random_rotation(3), np.array([0.3, -0.2, 0.4])), points)
        here = smeft.weights(hard, points)
        moved.append(f"{np.abs(there / here - 1.0).max():.1e}")
    row("current conservation, largest abs(q·J)/scale", *conserved)
    row("weights in a boosted and rotated frame, largest relative change", *moved)
    found = []
    for process in ("ffbar2HZ", "ffbar2HW"):
        hard = generate(process, "11 13", 30_000, 98.0)
        right = [f"{chi2_per_bin(hard, square, i):.2f}" for i in (0, 1)]
        wrong = [f"{chi2_per_bin(hard, lambda h: np.ones(len(h.quark_id)), i):.0f}" for i in (0, 1)]
        found.append(" and ".join(right) + " (isotropic decays: " + " and ".join(wrong) + ")")
    row("χ² per bin, decay angles of the generator against the SM matrix element, 20 bins each", *found)


def show_growth() -> None:
    """σ(c̄)/σ(SM) above cuts on pT(V), with statistical errors, and the weights that make it."""
    CONSOLE.print()
    row("process", "pT(V) >", *(f"c̄_HW = {c:g}: ours (reference)" for c in VALUES))
    row(*("---",) * 5)
    for process, decays in (("ffbar2HZ", "12 14 16"), ("ffbar2HW", "11 13")):
        hard = generate(process, decays, 30_000, 98.0)
        w = smeft.weights(hard, [(c, 0.0) for c in VALUES])
        for cut, reference in REFERENCE.items():
            inside = w[hard.pt_v > cut]
            mean, error = inside.mean(axis=0), inside.std(axis=0) / np.sqrt(len(inside))
            expected = reference if process == "ffbar2HZ" else QUOTED_0L if cut == 160.0 else ("–",) * 3
            cells = [f"{m:.3f} ± {e:.3f} ({x})" for m, e, x in zip(mean, error, expected, strict=True)]
            row(process[-2:][::-1], f"{cut:g} GeV", *cells)
        everywhere = smeft.weights(hard, [(c, 0.0) for c in np.linspace(-0.1, 0.1, 21)])
        share = smeft.effective_sample_size(w) / len(w)
        CONSOLE.print(
            f"{process}: weights for |c̄| ≤ 0.1 from {everywhere.min():.3g} to {everywhere.max():.3g}; "
            f"effective share of the events at {VALUES}: {np.round(share, 3).tolist()}"
        )


if __name__ == "__main__":
    show_invariants()
    show_growth()
