"""How far from the true variation is a template, raw and smoothed? Toys in which the truth is known.

    python benchmarks/templates.py [--toys 400] [--move 0.01]

Nominal events are uniform in 20 bins. Up and down share them: each event moves a little in the discriminant,
to opposite sides, which changes no expectation, and has the weight 1 ± r(x), which is the true effect. Events
beyond the lower edge may come in. Squared errors of (up − down)/2 are summed over bins, in units of the true
effect squared (of the slope's where there is none).
"""

import argparse
from collections.abc import Callable

import numpy as np
from cabinetry.smooth import smooth_353qh_twice
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import ndtr

from znought.stats.paired import BinnedEvents, PairedDifference, paired_difference
from znought.stats.smoothing import smoothed
from znought.stats.systematics import smoothed_ratio

Floats = NDArray[np.float64]
Shape = Callable[[Floats], Floats]
N_BINS = 20


def slope(x: Floats) -> Floats:
    return 0.1 * (2 * x - 1)


def curve(x: Floats) -> Floats:
    return 0.1 * (1.5 * (2 * x - 1) ** 2 - 0.5)


def bump(x: Floats) -> Floats:
    return np.where((x >= 0.6) & (x < 0.65), 0.3, 0.0)


def nothing(x: Floats) -> Floats:
    return np.zeros_like(x)


SHAPES: dict[str, Shape] = {
    "slope ± 10 %": slope,
    "second order ± 10 %": curve,
    "30 % in one bin of 20": bump,
    "nothing": nothing,
}


def truth(shape: Shape) -> Floats:
    """The true difference in each bin for a yield of 1."""
    fine = (np.arange(N_BINS * 1000) + 0.5) / (N_BINS * 1000)
    return np.asarray(shape(fine).reshape(N_BINS, 1000).mean(axis=1) / N_BINS)


def toy(shape: Shape, n_events: int, move: float, seed: int) -> PairedDifference:
    """One simulated sample and its up and down variations."""
    rng = np.random.default_rng(seed)
    rows = rng.poisson(n_events / 0.8)
    z, step = rng.standard_normal((2, rows))
    keep = np.sqrt(1 - move**2)
    parts = []
    for sign, q in ((0, z), (1, keep * z + move * step), (-1, keep * z - move * step)):
        x = (ndtr(q) - 0.2) / 0.8
        bins = np.where(x < 0, -1, np.minimum(x * N_BINS, N_BINS - 1)).astype(np.int64)
        parts.append(BinnedEvents(np.arange(rows), bins, (1 + sign * shape(x)) / n_events))
    return paired_difference(*parts, N_BINS)


def methods(found: PairedDifference) -> tuple[list[Floats], int | None]:
    """Raw, 1-2-1, 353QH and the method chosen; the order that it took."""
    nominal = found.nominal
    sumw2 = np.asarray((found.nominal_of_event.multiply(found.nominal_of_event)).sum(axis=0)).ravel()
    neighbours = smoothed_ratio(nominal, nominal + found.change, sumw2) - nominal
    median = nominal * (smooth_353qh_twice(1 + found.change / nominal) - 1)
    chosen = smoothed(found)
    return [found.change, neighbours, median, chosen.change], chosen.order


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--toys", type=int, default=400)
    parser.add_argument("--move", type=float, default=0.01, help="step of the discriminant's normal quantile")
    options = parser.parse_args()
    table = Table("true variation", "events", "raw", "1-2-1", "353QH", "this", "orders 0, 1, 2, 3; kept raw")
    for name, shape in SHAPES.items():
        true = truth(shape)
        unit = float(np.sum(true**2) or np.sum(truth(slope) ** 2))
        for n_events in (600, 4000, 40000):
            errors, orders = [], []
            for seed in range(options.toys):
                changes, order = methods(toy(shape, n_events, options.move, seed))
                errors.append([float(np.sum((change - true) ** 2)) / unit for change in changes])
                orders.append(4 if order is None else order)
            shares = np.bincount(orders, minlength=5) / options.toys
            cells = [f"{value:.3f}" for value in np.mean(errors, axis=0)]
            share = ", ".join(f"{100 * s:.0f}" for s in shares[:4]) + f"; {100 * shares[4]:.0f} %"
            table.add_row(name, f"{n_events:,}", *cells, share)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
