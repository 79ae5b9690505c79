"""Which nuisance parameters does a fit constrain, and which would noise alone constrain?

    python benchmarks/constraints.py CARD OUTPUT [--replicas 20]

For the scored sample of a card: post-fit over prior error of every varied systematic, with the templates as
the events have them and as they are smoothed, each beside the range of sign-flip replicas.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from znought.facility.cards.reading import StandardCard, load_card
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.fitting.templates import fit_settings, selected_events, systematics_of
from znought.facility.results.binned import read_binning
from znought.facility.workspace import Workspace
from znought.stats.replicas import constraint_verdicts, constraints, replica_constraints
from znought.stats.systematics import Smoothing
from znought.stats.template_sums import paired_tables
from znought.stats.templates import filled_up
from znought.stats.treatment import treated_templates
from znought.stats.workspace import build_workspace


def add_rows(
    table: Table, card: StandardCard, workspace: Workspace, smoothing: Smoothing, replicas: int
) -> None:
    """One row for each systematic, with all templates treated in one way."""
    bins = likelihood_bins(card, read_binning(workspace.binning))
    systematics = {
        name: replace(config, smoothing=smoothing)
        for name, config in systematics_of(card, workspace).items()
        if config.weights is None
    }
    processes = tuple(name for name, entry in card.processes.items() if entry.kind == "simulation")
    nominal = selected_events(card, workspace, bins, "nominal")
    found = treated_templates(
        nominal,
        lambda name: selected_events(card, workspace, bins, name),
        bins,
        processes=processes,
        systematics=systematics,
    )
    tables = {
        name: paired_tables(
            nominal,
            [selected_events(card, workspace, bins, way) for way in config.variations(name)],
            bins,
            processes=processes,
        )
        for name, config in systematics.items()
    }
    likelihood = replace(fit_settings(card, workspace), systematics=systematics)
    spec = build_workspace([filled_up(region)[0] for region in found.regions], likelihood)
    measured = dict.fromkeys(systematics, 1.0) | constraints(spec, systematics)
    noise = replica_constraints(found.regions, tables, likelihood, n_replicas=replicas)
    unmoved = dict.fromkeys(systematics, (1.0,) * replicas)
    for verdict in constraint_verdicts(measured, unmoved | noise):
        if verdict.parameter in systematics:
            low, high = min(verdict.replicas), max(verdict.replicas)
            cells = (f"{verdict.measured:.2f}", f"{low:.2f} to {high:.2f}", verdict.verdict)
            table.add_row(verdict.parameter, smoothing, *cells)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--replicas", type=int, default=20)
    options = parser.parse_args()
    card = load_card(options.card)
    if not isinstance(card, StandardCard):
        parser.error("the card has no fit of this kind.")
    table = Table("systematic", "smoothing", "post-fit / prior", "replicas", "verdict")
    for smoothing in ("none", "polynomial"):
        add_rows(table, card, Workspace(options.output), smoothing, options.replicas)
    Console().print(table)


if __name__ == "__main__":
    main()
