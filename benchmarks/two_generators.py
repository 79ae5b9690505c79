"""Share of Wt in the class of the top quark, and each variable by Sherpa and by Pythia.

    znought run analyses/vh_ww_merged.yaml --output both --until process
    python benchmarks/two_generators.py analyses/vh_ww_merged.yaml both

Tables: share of Wt in tt̄ + Wt; for each two-point systematic of the card, and each variable after the
preselection, the ratio of means, alternative to nominal, with its statistical error, and χ² of shapes in ten
bins of equal content. Responses of one event count as one. Figures `alternative_*` of a run show the shapes.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import EventTable, read_events
from znought.facility.figures.alternatives import ratios_of_shapes
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.processors.regions import regions_from_card

Array = NDArray[np.float64]

TOP = ("ttbar", "wt")


def mean_and_error(events: EventTable, name: str) -> tuple[float, float]:
    """Weighted mean of a variable with its error, from whole generated events."""
    values, weights = (np.asarray(events[one], np.float64) for one in (name, "gen_weight"))
    mean = float(np.sum(weights * values) / np.sum(weights))
    _, index = np.unique(events.identity, return_inverse=True)
    by_event = np.bincount(index, weights * (values - mean))
    return mean, float(np.sqrt(np.sum(by_event**2)) / np.sum(weights))


def share_of(card: StandardCard, events: EventTable, scales: dict[str, float]) -> str:
    """Share of Wt in tt̄ + Wt after the preselection and in the signal region."""
    weight = np.asarray(events["gen_weight"], np.float64) * events.per_dataset(scales)
    signal = regions_from_card(card.regions)[str(card.signal_region)].mask(events.columns)
    lines = ""
    for where, rows in (("preselection", np.ones(len(events), np.bool_)), ("signal region", signal)):
        found = []
        for name in TOP:
            mine = rows & (events.dataset == events.datasets.index(name))
            _, index = np.unique(events.identity[mine], return_inverse=True)
            found.append((weight[mine].sum(), np.sum(np.bincount(index, weight[mine]) ** 2)))
        (top, var_top), (wt, var_wt) = found
        share = wt / (top + wt)
        error = np.sqrt(top**2 * var_wt + wt**2 * var_top) / (top + wt) ** 2
        lines += f"| {where} | {top:.0f} | {wt:.0f} | {share:.3f} ± {error:.3f} |\n"
    return "| where | tt̄ | Wt | share of Wt |\n|---|---|---|---|\n" + lines


def compared(card: StandardCard, workspace: Workspace, others: dict[str, str]) -> str:
    """Ratio of means of the alternative to the nominal sample, and how far shapes are apart, by variable."""
    text = (
        f"\n| {', '.join(others.values())} / {', '.join(others)} | ratio of means | χ²/ndf |\n|---|---|---|\n"
    )
    wanted = ["gen_weight", *card.binned]
    samples = [read_events(workspace.columns, list(part), wanted) for part in (others, others.values())]
    for name, ratio in ratios_of_shapes(card, workspace, others).items():
        (a, error_a), (b, error_b) = (mean_and_error(one, name) for one in samples)
        error = abs(b / a) * np.hypot(error_a / a, error_b / b)
        text += f"| {name} | {b / a:.3f} ± {error:.3f} | {ratio.chi2:.1f}/{ratio.ndf} |\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    card, workspace = load_card(options.card), Workspace(options.output)
    assert isinstance(card, StandardCard)
    cuts = [cut for cuts in card.regions.values() for cut in cuts]
    events = read_events(workspace.columns, TOP, ["gen_weight", *cuts])
    sys.stdout.write(share_of(card, events, dict(scale_of(workspace))))
    for systematic in card.likelihood.workspace.systematics.values():
        if systematic.datasets:
            sys.stdout.write(compared(card, workspace, dict(systematic.datasets)))


if __name__ == "__main__":
    main()
