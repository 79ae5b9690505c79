"""Stage `plot` of VH(bb): results and scored events → figures and the report."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from znought.facility.context import Context
from znought.facility.picture import Picture
from znought.facility.vh_bb.card import VHBBCard
from znought.facility.vh_bb.channel_scores import read_channel_scores
from znought.facility.vh_bb.figures import NetworkAlbum
from znought.facility.vh_bb.figures_limits import LimitAlbum
from znought.facility.vh_bb.results import SmeftResults, read_smeft_results
from znought.facility.vh_bb.summary import smeft_tables
from znought.facility.workspace import read_json
from znought.plots.report import ReportFigure, write_report
from znought.plots.style import save

__all__ = ["plot"]

# For the length of the bar; the exact number of figures is known at the end.
ABOUT = 45


def plot(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `figures/` and `report.html`."""
    workspace = context.workspace
    results = read_smeft_results(workspace.results)
    written, shown = [], []
    album = _networks(context, results)
    with context.reporter.bar("drawing figures") as advance:
        for done, picture in enumerate(_pictures(album), start=1):
            pdf, png = save(picture.figure, workspace.figures, picture.name)
            written += [pdf, png]
            shown.append(ReportFigure(picture.title, png, picture.caption, picture.section))
            advance(done, max(done, ABOUT), picture.name)
    write_report(
        workspace.report,
        title=context.card.title,
        label=album.label,
        tables=smeft_tables(results),
        figures=sorted(shown, key=lambda figure: SECTIONS.index(figure.section)),
        notes=results.notes,
    )
    return [*written, workspace.report]


SECTIONS = ("Limits", "Significance", "Networks", "Selection")


def _networks(context: Context[VHBBCard], results: SmeftResults) -> NetworkAlbum:
    card, workspace = context.card, context.workspace
    flows = read_json(workspace.cutflow)["channels"]
    return NetworkAlbum(
        card=card,
        results=results,
        channels={channel: read_channel_scores(card, workspace, channel) for channel in card.channels},
        cutflows={
            channel: (
                tuple(flow["cuts"]),
                {name: tuple(values["sumw"]) for name, values in flow["processes"].items()},
            )
            for channel, flow in flows.items()
        },
    )


def _pictures(album: NetworkAlbum) -> Iterator[Picture]:
    yield from LimitAlbum(album.card, album.results).pictures()
    yield from album.pictures()
