"""What each way of binning reaches on one finished run: held out, tuned, and with a correlated uncertainty.

    python benchmarks/methods.py CARD OUTPUT

OUTPUT is the directory of a finished run of CARD. Every row uses the same events, weights, bounds on the
MC statistics and halves; `argmax` keeps only the events whose largest output is the signal class.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from znought.facility.cards.reading import StandardCard, load_card
from znought.facility.events.sample import ScoredSample, read_sample
from znought.facility.workspace import Workspace
from znought.stats.binning import PLAIN, Method, tune
from znought.stats.crossfit import cross_fitted

N_BOOTSTRAP = 200


def discriminants(
    card: StandardCard, sample: ScoredSample
) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.float64]]]:
    region = sample.in_region(card.signal_region)
    largest = sample.outputs("network").argmax(axis=1) == card.classes.index(str(card.class_of_signal))
    yield "network", region, sample.signal_score()
    yield "network, argmax", region & largest, sample.signal_score()
    yield "trees", region, sample.signal_score("boosting")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    card = load_card(arguments.card)
    if not isinstance(card, StandardCard) or card.class_of_signal is None:
        parser.error("expected a card with a network and a signal")
    sample = read_sample(card, Workspace(arguments.output), kind="simulation")
    columns = ("discriminant", "bins", "number", "held out", "68 % interval", "tuned", "no bound", "s")
    table = Table(*columns, title=f"{card.label}, {card.lumi_ifb:g}/fb, expected Z0")
    for name, rows, values in discriminants(card, sample):
        events = (values[rows], sample.weight[rows], sample.is_signal[rows])
        identity = sample.columns.identity[rows]
        for method in get_args(Method):
            begin = perf_counter()
            found = cross_fitted(
                *events,
                identity,
                method=method,
                config=card.binning,
                n_bootstrap=N_BOOTSTRAP,
                seed=card.crossfit.seed,
            )
            plain = replace(card.binning, constraints=PLAIN)
            talk = tune(*events, method=method, config=plain, identity=identity)
            table.add_row(
                name,
                _words(method),
                str(found.edges.size - 1),
                f"{found.held_out:.3f}",
                f"[{found.interval.low:.3f}, {found.interval.high:.3f}]",
                f"{found.tuned:.3f}",
                f"{talk.z_total:.3f}",
                f"{perf_counter() - begin:.1f}",
            )
    Console(width=120).print(table)


def _words(method: Method) -> str:
    return method.replace("_", " ")


if __name__ == "__main__":
    main()
