"""Stage `plot`: results and scored events → figures and the report."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from znought.facility.cards.base import Card
from znought.facility.cards.object_weights import BTagWeight
from znought.facility.cards.standard import StandardCard
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.context import Context
from znought.facility.events.sample import read_share
from znought.facility.figures.album import Album
from znought.facility.figures.alternatives import alternative_pictures
from znought.facility.figures.measured import SECTION as MEASURED
from znought.facility.figures.measured import btag_pictures, fake_factor_pictures, trigger_pictures
from znought.facility.figures.network import read_explained
from znought.facility.figures.own import own_pictures
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import write_album
from znought.facility.metrics.record import standing_metrics
from znought.facility.metrics.shown import SECTION, metrics_pictures, metrics_tables
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.ntuples.flows import read_cutflows
from znought.facility.referee.verdicts import (
    Verdicts,
    marked,
    standing_verdicts,
    verdict_table,
)
from znought.facility.regions.books import read_region_books, still_blinded
from znought.facility.regions.distributions import region_distributions
from znought.facility.regions.validation import read_validation
from znought.facility.results.fake_leptons import read_fake_leptons
from znought.facility.results.head import results_head
from znought.facility.results.ledger import read_ledger
from znought.facility.results.notebook import Finished
from znought.facility.results.provenance import card_document, provenance_tables
from znought.facility.results.standard import Results, read_results
from znought.facility.results.summary import report_tables
from znought.facility.results.words import known_names, tables_in_words
from znought.facility.workspace import Workspace
from znought.models import artefacts
from znought.plots.report import ReportDocument, ReportTable
from znought.plots.style import FigureLabel

__all__ = ["MEASURED", "card", "efficiency_pictures", "inputs", "measured_pictures", "plot", "provenance"]

SECTIONS = (
    "Result",
    "Referee",
    "Yields",
    "Significance",
    "Fit",
    "Data and simulation",
    MEASURED,
    "Regions",
    "Selection",
    "Network",
    "Inputs",
)
"""Headings of the report, in order."""


def inputs(context: Context[StandardCard]) -> object:
    """Beyond the card and the results: what the referee says of them."""
    found = standing_verdicts(context.workspace)
    return None if found is None else found.model_dump(mode="json")


def plot(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `figures/` and `report.html`, the referee's verdict first."""
    verdicts = standing_verdicts(context.workspace)
    album, metrics = _album(context, verdicts), standing_metrics(context.workspace.metrics)
    own = own_pictures(context.analysis.figures, Finished(context.workspace, album.results))
    alternatives = alternative_pictures(context.card, context.workspace, label=album.shapes)
    names = known_names(context.card, album.results.fit)
    judged = [] if verdicts is None else [verdict_table(verdicts)]
    return write_album(
        context,
        chain(
            album.pictures(),
            measured_pictures(context, album.shapes),
            alternatives,
            own,
            metrics_pictures(metrics),
        ),
        # Notes stand in the head of the page.
        tables=(
            *tables_in_words(
                (*report_tables(album.results.model_copy(update={"notes": ()})), *judged), names
            ),
            *metrics_tables(metrics),
            *provenance(context),
        ),
        head=results_head(album.results, verdicts, names),
        documents=[card(context)],
        sections=(*SECTIONS, SECTION),
    )


def measured_pictures(context: Context[StandardCard], label: FigureLabel) -> Iterator[Picture]:
    """Fake factors, and efficiencies of triggers and b-tags, of a card that asks for them."""
    card, workspace = context.card, context.workspace
    if card.fake_leptons is not None:
        found = read_fake_leptons(workspace.fake_leptons)
        yield from fake_factor_pictures(card.fake_leptons, found, label=label)
    yield from efficiency_pictures(context, label)


def efficiency_pictures(context: Context[Card], label: FigureLabel) -> Iterator[Picture]:
    """Efficiencies of triggers and b-tags that the stage `efficiency` measured."""
    folder, weights = context.workspace.efficiencies, context.card.weights
    triggers = {name: one for name, one in weights.items() if isinstance(one, TriggerWeight)}
    yield from trigger_pictures(triggers, folder, label=label)
    tags = {name: one for name, one in weights.items() if isinstance(one, BTagWeight)}
    yield from btag_pictures(tags, folder, label=label)


def provenance(context: Context[Card]) -> tuple[ReportTable, ...]:
    """Tables of how the report came about."""
    workspace, read = context.workspace, context.card
    return provenance_tables(
        read_ledger(workspace.ledger),
        workspace.manifest,
        analysis=read.analysis,
        folder=read.folder,
        lumi_ifb=read.lumi_ifb,
    )


def card(context: Context[Card]) -> ReportDocument:
    """The card, as far as stages have read it."""
    return card_document(context.workspace.manifest, context.card.section("plotting", "label", "title"))


def _album(context: Context[StandardCard], verdicts: Verdicts | None) -> Album:
    card, workspace = context.card, context.workspace
    cut_names, cut_yields = _cutflow(workspace)
    simulation = read_share(card, workspace)
    books = read_region_books(workspace.regions)
    return Album(
        card=card,
        results=_marked_results(read_results(workspace.results), verdicts),
        verdicts=verdicts,
        manifest=None if card.network is None else artefacts.load(workspace.models),
        simulation=simulation,
        cut_names=cut_names,
        cut_yields=cut_yields,
        data_lumi_ifb=data_lumi_ifb(workspace),
        regions=books,
        distributions=region_distributions(card, workspace, blinded=still_blinded(card, books)),
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
