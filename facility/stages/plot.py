"""Stage `plot`: results and scored events → figures and the report."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.sample import read_sample
from znought.facility.figures.album import Album
from znought.facility.figures.network import read_explained
from znought.facility.figures.own import own_pictures
from znought.facility.figures.writing import write_album
from znought.facility.metrics.record import standing_metrics
from znought.facility.metrics.shown import metrics_pictures, metrics_tables
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.ntuples.flows import read_cutflows
from znought.facility.referee.verdicts import (
    Verdicts,
    marked,
    standing_verdicts,
    verdict_line,
    verdict_table,
)
from znought.facility.regions.books import read_region_books
from znought.facility.regions.validation import read_validation
from znought.facility.results.notebook import Finished
from znought.facility.results.standard import Results, read_results
from znought.facility.results.summary import report_tables
from znought.facility.workspace import Workspace
from znought.models import artefacts

__all__ = ["inputs", "plot"]

# Figures of an analysis with data, for the length of the bar; their exact number is known at the end.
ABOUT = 45


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card and the results: what the referee says of them."""
    found = standing_verdicts(context.workspace)
    return None if found is None else found.model_dump(mode="json")


def plot(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `figures/` and `report.html`, the referee's verdict first."""
    verdicts = standing_verdicts(context.workspace)
    album, metrics = _album(context, verdicts), standing_metrics(context.workspace.metrics)
    own = own_pictures(context.analysis.figures, Finished(context.workspace, album.results))
    return write_album(
        context,
        chain(album.pictures(), own, metrics_pictures(metrics)),
        tables=(
            *([] if verdicts is None else [verdict_table(verdicts)]),
            *report_tables(album.results),
            *metrics_tables(metrics),
        ),
        notes=(verdict_line(verdicts), *album.results.notes),
        about=ABOUT,
    )


def _album(context: Context[StandardCard], verdicts: Verdicts | None) -> Album:
    card, workspace = context.card, context.workspace
    cut_names, cut_yields = _cutflow(workspace)
    simulation = read_sample(card, workspace, kind="simulation")
    return Album(
        card=card,
        results=_marked_results(read_results(workspace.results), verdicts),
        verdicts=verdicts,
        manifest=None if card.network is None else artefacts.load(workspace.models),
        simulation=simulation,
        cut_names=cut_names,
        cut_yields=cut_yields,
        data_lumi_ifb=data_lumi_ifb(workspace),
        regions=read_region_books(workspace.regions),
        validation=read_validation(workspace),
        explained=None if not card.is_scored else read_explained(card, workspace, simulation),
    )


def _cutflow(workspace: Workspace) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
    """Rows of the cutflow, and process → events after each; at the end what comes into each channel."""
    flows = read_cutflows(workspace.cutflow)
    first = next(iter(flows.values()))
    n_rows = len(first.cuts) if len(flows) == 1 else _n_common([flow.cuts for flow in flows.values()])
    names = first.cuts[:n_rows]
    yields = {name: values[:n_rows] for name, values in first.expected.items()}
    if len(flows) == 1:
        return names, yields
    ends = {name: tuple(flow.expected[name][-1] for flow in flows.values()) for name in yields}
    return (*names, *flows), {name: (*values, *ends[name]) for name, values in yields.items()}


def _n_common(cuts: Sequence[Sequence[str]]) -> int:
    """Rows that several cutflows begin with."""
    return next(
        (i for i, names in enumerate(zip(*cuts, strict=False)) if len(set(names)) > 1),
        min(len(names) for names in cuts),
    )


def _marked_results(results: Results, verdicts: Verdicts | None) -> Results:
    """The results, whose label says when the referee refuses them."""
    return results.model_copy(update={"label": marked(results.label, verdicts)})
