"""Stage `plot` of VH(bb): results and scored events → figures and the report."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import read_channel_scores
from znought.analyses.vh_bb.figures import NetworkAlbum
from znought.analyses.vh_bb.figures_limits import LimitAlbum
from znought.analyses.vh_bb.head import smeft_head
from znought.analyses.vh_bb.results import SmeftResults, read_smeft_results
from znought.analyses.vh_bb.summary import smeft_tables
from znought.facility.context import Context
from znought.facility.figures.fitted import region_summaries
from znought.facility.figures.inputs import distribution_pictures, region_pictures, validation_pictures
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import write_album
from znought.facility.learning.searching import trial_values
from znought.facility.metrics.record import standing_metrics
from znought.facility.metrics.shown import SECTION, metrics_pictures, metrics_tables
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.ntuples.flows import read_cutflows
from znought.facility.referee.verdicts import standing_verdicts, verdict_table
from znought.facility.regions.books import read_region_books, regions_file, still_blinded
from znought.facility.regions.distributions import region_distributions
from znought.facility.regions.validation import read_validation
from znought.facility.results.words import in_words, known_names, tables_in_words
from znought.facility.stages.plot import MEASURED, card, efficiency_pictures, provenance

__all__ = ["plot"]

SECTIONS = (
    "Result",
    "Referee",
    "Limits",
    "Significance",
    "Fit",
    "Networks",
    "Data and simulation",
    MEASURED,
    "Regions",
    "Selection",
    SECTION,
)


def plot(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `figures/` and `report.html`."""
    results, verdicts = read_smeft_results(context.workspace.results), standing_verdicts(context.workspace)
    album, metrics = _networks(context, results), standing_metrics(context.workspace.metrics)
    names = known_names(context.card, results.fit)
    judged = [] if verdicts is None else [verdict_table(verdicts)]
    return write_album(
        context,
        chain(
            _pictures(context, album),
            efficiency_pictures(context, album.shapes),
            metrics_pictures(metrics),
        ),
        tables=(
            *tables_in_words((*smeft_tables(results.model_copy(update={"notes": ()})), *judged), names),
            *metrics_tables(metrics),
            *provenance(context),
        ),
        head=smeft_head(results, verdicts, tuple(in_words(note, names) for note in results.notes)),
        documents=[card(context)],
        sections=SECTIONS,
    )


def _networks(context: Context[VHBBCard], results: SmeftResults) -> NetworkAlbum:
    card, workspace = context.card, context.workspace
    return NetworkAlbum(
        card=card,
        results=results,
        channels={channel: read_channel_scores(card, workspace, channel) for channel in card.channels},
        cutflows=read_cutflows(workspace.cutflow),
        trials=trial_values(workspace),
    )


def _pictures(context: Context[VHBBCard], album: NetworkAlbum) -> Iterator[Picture]:
    yield from LimitAlbum(album.card, album.results).pictures()
    yield from album.pictures()
    card, workspace, fitted = context.card, context.workspace, album.results.fit
    if fitted is not None and fitted.data == "observed":
        yield from region_summaries(fitted, label=album.label, signal=card.drawn_signal)
    for channel in card.channels:
        if (compared := read_validation(workspace, channel)) is not None:
            yield from validation_pictures(card, compared, channel=channel)
        books = read_region_books(regions_file(workspace, channel))
        yield from region_pictures(card, books, channel=channel)
        lumi, blinded = data_lumi_ifb(workspace), still_blinded(card, books)
        found = region_distributions(card, workspace, blinded=blinded, channel=channel)
        yield from distribution_pictures(
            card, found, signal=card.drawn_signal, lumi_ifb=lumi, channel=channel
        )
