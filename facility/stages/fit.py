"""Stage `fit`: bins and areas → `results.json`, with what a reader must know beside the numbers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from znought.facility.card import Card
from znought.facility.context import Context
from znought.facility.results import Results, write_results
from znought.facility.workspace import read_json

__all__ = ["fit"]


def fit(context: Context) -> Iterable[Path]:
    """Writes `results.json`."""
    card, workspace = context.card, context.workspace
    found = read_json(workspace.binning)
    results = Results.model_validate(
        {
            "analysis": card.analysis,
            "title": card.title,
            "label": card.label,
            "lumi_ifb": card.lumi_ifb,
            "signal": card.signal,
            "sigma_background": card.binning.sigma_rel,
            **read_json(workspace.evaluation),
            "z0": {name: _significance(entry) for name, entry in found.items()},
            "z_profile": {name: entry["z_profile"] for name, entry in found.items()},
            "yields": {name: _yields(entry) for name, entry in found.items()},
            "edges": {name: entry["edges"] for name, entry in found.items()},
            "substitutes": read_json(workspace.substitutes),
            "notes": _notes(card, found),
        }
    )
    write_results(workspace.results, results)
    return [workspace.results]


def _significance(entry: Mapping[str, Any]) -> dict[str, object]:
    return {
        "tuned": entry["tuned"],
        "held_out": entry["held_out"],
        "interval": entry["interval"],
        "auxiliary": entry["auxiliary"],
        "z_per_bin": entry["whole"]["z_per_bin"],
        "quadrature": entry["whole"]["z_total"],
        "statistics_limited": not entry["trustworthy"],
        "min_background_events": entry["min_background_events"],
    }


def _yields(entry: Mapping[str, Any]) -> dict[str, object]:
    return {
        process: {"events": values["yields"], "mc_stat_error": values["mc_errors"]}
        for process, values in entry["yields"]["processes"].items()
    }


def _notes(card: Card, found: Mapping[str, Any]) -> list[str]:
    constraints = card.binning.constraints
    notes = [
        f"Every bin holds at least {constraints.effective_background:.0f} effective background events: "
        "the simulated sample, not the method, limits how fine the bins may be."
    ]
    greedy = found["mva_greedy"]["unbounded"]
    notes.append(
        f"Without that bound, tuned and quoted on the same events as in the talk: {greedy['z_total']:.2f}, "
        f"with down to {greedy['min_background_events']} generated background events in a bin."
    )
    limited = [name for name, entry in found.items() if not entry["trustworthy"]]
    if limited:
        notes.append(f"* limited by the simulated sample: {', '.join(limited)}.")
    return notes
