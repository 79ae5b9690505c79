"""Stage `plot`: results and scored events → figures and the report."""

from collections.abc import Iterable
from pathlib import Path

from znought.facility.album import write_album
from znought.facility.context import Context
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.vh_ww.figures import Album
from znought.facility.vh_ww.figures_network import read_explained
from znought.facility.vh_ww.region_books import read_region_books
from znought.facility.vh_ww.results import read_results
from znought.facility.vh_ww.sample import read_sample
from znought.facility.vh_ww.summary import report_tables
from znought.facility.vh_ww.validation import read_validation
from znought.facility.workspace import read_json
from znought.models import artefacts
from znought.processors.features import FEATURES

__all__ = ["plot"]

# Figures of an analysis with data, for the length of the bar; their exact number is known at the end.
ABOUT = 41


def plot(context: Context[VHWWCard]) -> Iterable[Path]:
    """Writes `figures/` and `report.html`."""
    album = _album(context)
    return write_album(
        context,
        album.pictures(),
        tables=report_tables(album.results),
        notes=album.results.notes,
        about=ABOUT,
    )


def _album(context: Context[VHWWCard]) -> Album:
    card, workspace = context.card, context.workspace
    flow = read_json(workspace.cutflow)
    simulation = read_sample(card, workspace, kind="simulation", features=FEATURES)
    return Album(
        card=card,
        results=read_results(workspace.results),
        manifest=artefacts.load(workspace.models),
        simulation=simulation,
        cut_names=tuple(flow["cuts"]),
        cut_yields={name: tuple(values["sumw"]) for name, values in flow["processes"].items()},
        regions=read_region_books(workspace.regions),
        validation=read_validation(workspace),
        explained=read_explained(card, workspace, simulation),
    )
