"""Each input of VH(WW) by Sherpa and by Pythia, and the share of Wt in the class of the top quark.

    python benchmarks/two_generators.py card both.yaml --events 20000
    znought simulate both.yaml --output both && znought process both.yaml --output both
    python benchmarks/two_generators.py compare both.yaml both

The card is the shipped one with the samples of both generators side by side. Tables: share of Wt in tt̄ + Wt;
of each input after the preselection the ratio of means, Sherpa's to Pythia's, with its statistical error, and
how far the shapes are apart (χ²/ndf in ten bins of equal content). Responses of one event count as one.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import EventTable, read_events
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.processors.regions import regions_from_card

Array = NDArray[np.float64]

ANALYSES = Path(__file__).parents[1] / "analyses"
PAIRS = {"Z → ττ": ("z_tautau", "z_merged"), "Wt beside tt̄": ("ttbar", "wt")}
FEW_EVENTS = 20
N_BINS = 10


def both(n_events: int) -> dict[str, Any]:
    """The shipped card with samples of both generators."""
    content, merged = (
        yaml.safe_load((ANALYSES / name).read_text(encoding="utf-8"))
        for name in ("vh_ww.yaml", "vh_ww_merged.yaml")
    )
    content["processes"] |= {"Zmerged": {}, "Wt": {}}
    found = {**content["datasets"], "z_merged": {**merged["datasets"]["z_tautau"], "process": "Zmerged"}}
    found["wt"] = {**merged["datasets"]["wt"], "process": "Wt"}
    compared = {name for pair in PAIRS.values() for name in pair}
    for name, entry in found.items():
        if "n_events" in entry:
            found[name] = {**entry, "n_events": n_events if name in compared else FEW_EVENTS}
    content["datasets"] = {name: entry for name, entry in found.items() if "recipe" in entry}
    content["simulation"]["pseudo_data"]["enabled"] = False
    del content["processes"]["data"]
    content["validation"]["action"] = "report"
    return dict(content)


def mean_and_error(values: Array, weights: Array, event: NDArray[np.uint64]) -> tuple[float, float]:
    """Weighted mean with its error, from whole generated events."""
    mean = float(np.sum(weights * values) / np.sum(weights))
    _, index = np.unique(event, return_inverse=True)
    by_event = np.bincount(index, weights * (values - mean))
    return mean, float(np.sqrt(np.sum(by_event**2)) / np.sum(weights))


def shape(values: Array, weights: Array, event: NDArray[np.uint64], edges: Array) -> tuple[Array, Array]:
    """Shares of bins and their variances, from whole generated events."""
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    _, index = np.unique(event, return_inverse=True)
    filled = np.zeros((int(index.max()) + 1, len(edges) - 1))
    np.add.at(filled, (index, place), weights)
    shares = filled.sum(axis=0) / np.sum(weights)
    spread = filled - filled.sum(axis=1, keepdims=True) * shares
    return shares, np.sum(spread**2, axis=0) / np.sum(weights) ** 2


def compared(name: str, first: EventTable, second: EventTable) -> str:
    """One line: ratio of means of the second to the first, and how far their shapes are apart."""
    tables = [
        (np.asarray(one[name], np.float64), np.asarray(one["gen_weight"], np.float64), one.identity)
        for one in (first, second)
    ]
    (a, error_a), (b, error_b) = (mean_and_error(*table) for table in tables)
    error = abs(b / a) * np.hypot(error_a / a, error_b / b)
    edges = np.unique(
        np.quantile(np.concatenate([values for values, _, _ in tables]), np.linspace(0, 1, N_BINS + 1))
    )
    (share_a, var_a), (share_b, var_b) = (shape(*table, edges) for table in tables)
    total = var_a + var_b
    chi2 = float(np.sum((share_a - share_b)[total > 0.0] ** 2 / total[total > 0.0]))
    ndf = max(len(edges) - 2, 1)
    return f"| {name} | {b / a:.3f} ± {error:.3f} | {chi2 / ndf:.1f} |\n"


def share_of(card: StandardCard, events: EventTable, scales: dict[str, float]) -> str:
    """Share of Wt in tt̄ + Wt after the preselection and in the signal region."""
    weight = np.asarray(events["gen_weight"], np.float64) * events.per_dataset(scales)
    signal = regions_from_card(card.regions)[str(card.signal_region)].mask(events.columns)
    lines = ""
    for where, rows in (("preselection", np.ones(len(events), np.bool_)), ("signal region", signal)):
        found = []
        for name in ("ttbar", "wt"):
            mine = rows & (events.dataset == events.datasets.index(name))
            _, index = np.unique(events.identity[mine], return_inverse=True)
            found.append((weight[mine].sum(), np.sum(np.bincount(index, weight[mine]) ** 2)))
        (top, var_top), (wt, var_wt) = found
        share = wt / (top + wt)
        error = np.sqrt(top**2 * var_wt + wt**2 * var_top) / (top + wt) ** 2
        lines += f"| {where} | {top:.0f} | {wt:.0f} | {share:.3f} ± {error:.3f} |\n"
    return "| where | tt̄ | Wt | share of Wt |\n|---|---|---|---|\n" + lines


def compare(card: StandardCard, workspace: Workspace) -> str:
    """All tables."""
    names = [name for pair in PAIRS.values() for name in pair]
    cuts = [cut for cuts in card.regions.values() for cut in cuts]
    events = read_events(workspace.columns, names, ["gen_weight", *card.features, *cuts])
    text = share_of(card, events, dict(scale_of(workspace)))
    for title, pair in PAIRS.items():
        text += f"\n| {title}: {pair[1]} / {pair[0]} | ratio of means | χ²/ndf |\n|---|---|---|\n"
        tables = [events.select(events.dataset == events.datasets.index(name)) for name in pair]
        text += "".join(compared(feature, *tables) for feature in card.features)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["card", "compare"])
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path, nargs="?")
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    if options.what == "card":
        options.card.write_text(yaml.safe_dump(both(options.events), allow_unicode=True, sort_keys=False))
        return
    card = load_card(options.card)
    assert isinstance(card, StandardCard)
    sys.stdout.write(compare(card, Workspace(options.output)))


if __name__ == "__main__":
    main()
