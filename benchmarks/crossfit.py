"""Is the cross-fitted significance unbiased, and does its interval cover? Toy experiments with a known truth.

    python benchmarks/crossfit.py [--toys 500] [--events 2000 8000]

Every toy draws a Poisson number of simulated events from known densities, as a selection of a generated
sample does, tunes the edges and quotes Z0. The truth is the Z0 of the quoted bins in the limit of infinite
simulation; "best" is that of the exact optimum.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import beta

from znought.stats.binning import PLAIN, BinningConfig, Constraints, Method
from znought.stats.crossfit import SignificanceEstimate, cross_fitted
from znought.stats.partition import best_partition
from znought.stats.significance import asimov_z0, quadrature_sum

SIGNAL, BACKGROUND, SIGMA_REL = 100.0, 4000.0, 0.10
CASES: tuple[tuple[int, str, Constraints, Method], ...] = (
    (2000, "the talk's", PLAIN, "greedy"),
    (2000, "MC-statistics bounds", Constraints(), "greedy"),
    (2000, "MC-statistics bounds", Constraints(), "optimal"),
    (8000, "the talk's", PLAIN, "greedy"),
    (8000, "MC-statistics bounds", Constraints(), "greedy"),
    (8000, "MC-statistics bounds", Constraints(), "optimal"),
)


def true_z(edges: NDArray[np.float64]) -> float:
    signal, background = SIGNAL * np.diff(beta.cdf(edges, 4, 2)), BACKGROUND * np.diff(beta.cdf(edges, 2, 3))
    return quadrature_sum(asimov_z0(signal, background, SIGMA_REL * background))


def best_z(min_yield: float = 3.0, n_edges: int = 801) -> float:
    """Z0 of the best bins there are, with the minimum yield."""
    edges = np.linspace(0, 1, n_edges)
    s, b = SIGNAL * beta.cdf(edges, 4, 2), BACKGROUND * beta.cdf(edges, 2, 3)
    signal, background = s[None, :] - s[:, None], b[None, :] - b[:, None]
    allowed = (signal > min_yield) & (background > min_yield)
    value = np.full_like(signal, -np.inf)
    value[allowed] = asimov_z0(signal[allowed], background[allowed], SIGMA_REL * background[allowed]) ** 2
    chosen = best_partition(value)
    return true_z(edges[chosen])


def estimates(
    n_events: int, rules: Constraints, method: Method, n_toys: int
) -> Iterator[SignificanceEstimate]:
    half = n_events // 2
    config = BinningConfig(lower=0.0, constraints=rules, sigma_rel=SIGMA_REL, n_candidates=300)
    for seed in range(n_toys):
        rng = np.random.default_rng(seed)
        n_signal, n_background = rng.poisson(half, 2)
        is_signal = np.arange(n_signal + n_background) < n_signal
        weights = np.where(is_signal, SIGNAL, BACKGROUND) / half
        scores = np.concatenate([rng.beta(4, 2, n_signal), rng.beta(2, 3, n_background)])
        yield cross_fitted(
            scores,
            weights,
            is_signal,
            np.arange(scores.size),
            method=method,
            config=config,
            n_bootstrap=200,
            seed=seed,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--toys", type=int, default=500)
    parser.add_argument("--events", type=int, nargs="+", default=[2000, 8000], choices=[2000, 8000])
    arguments = parser.parse_args()
    columns = (
        "events",
        "constraints",
        "search",
        "truth",
        "tuned",
        "quoted",
        "held out",
        "± per toy",
        "68 % covers",
    )
    table = Table(*columns, title=f"{arguments.toys} toys; best bins: {best_z():.3f}")
    for n_events, name, rules, method in CASES:
        if n_events not in arguments.events:
            continue
        rows = []
        for result in estimates(n_events, rules, method, arguments.toys):
            truth = float(np.mean([true_z(part.edges) for part in result.parts]))
            covered = result.interval.low <= truth <= result.interval.high
            rows.append(
                (truth, result.tuned, result.quoted, result.held_out, covered, result.held_out - truth)
            )
        truth, tuned, quoted, held_out, covered, _ = np.mean(rows, axis=0)
        spread = np.std([row[-1] for row in rows])
        numbers = [f"{value:.3f}" for value in (truth, tuned, quoted, held_out, spread)]
        table.add_row(f"{n_events:,}", name, method, *numbers, f"{100 * covered:.0f} %")
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
