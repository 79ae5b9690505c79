"""Arguments and options that commands share."""

from pathlib import Path
from typing import Annotated

import typer

from znought.errors import ZnoughtError
from znought.facility.cards.location import the_card

__all__ = [
    "STAGE_HELP",
    "AsJson",
    "At",
    "CardPath",
    "Fileset",
    "Force",
    "From",
    "MaxChunks",
    "MaxFiles",
    "Output",
    "Scale",
    "SiteName",
    "Skim",
    "Unblind",
    "UnblindTo",
    "given_card",
]

STAGE_HELP = {
    "efficiency": "Ntuples → efficiencies of b-tags and triggers, where scale factors of the card take them.",
    "process": "Ntuples → selected columns, histograms and cutflow.",
    "fake_leptons": "Loose leptons → fake factors, and the events of misidentified leptons in data.",
    "validate": "Columns → yields of the regions; data against simulation, refused beyond limits.",
    "tune": "Search the network's settings on the workers.",
    "train": "Columns → K networks, one fold per task.",
    "score": "Columns → network outputs, out of fold where trained.",
    "optimise": "Scores → bin edges and significances, tuned and held out.",
    "fit": "Binned yields → profile-likelihood significance and results.json; or a likelihood file.",
    "measure": "Scores → areas and Z_A by both definitions of signal (coefficients).",
    "limits": "Scores → expected intervals, coverage, contour and results.json (coefficients).",
    "plot": "Everything → figures and report.html.",
    "export": "Events in the layout of the public notebooks (coefficients).",
}


def given_card(context: typer.Context, path: Path) -> Path:
    """The card that is named, or the one of this folder, or wrong usage."""
    # A shell that completes a line asks for no card.
    if path != Path() or context.resilient_parsing:
        return path
    try:
        return the_card()
    except ZnoughtError as error:
        raise typer.BadParameter(str(error).removeprefix("CARD: ")) from error


CardPath = Annotated[
    Path,
    typer.Argument(
        metavar="CARD",
        help="Analysis card (YAML); not needed where this folder holds just one.",
        default_factory=Path,
        callback=given_card,
        show_default=False,
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Directory for everything that is made.")]


def _sites(begun: str) -> list[str]:
    """Names of sites that begin so, for the shell."""
    from znought.facility.cluster.configured import described_sites
    from znought.facility.cluster.sites import SITES

    return [name for name in (*SITES, *described_sites()) if name.startswith(begun)]


def _stages(begun: str) -> list[str]:
    """Names of stages that begin so, for the shell."""
    return [name for name in ("simulate", *STAGE_HELP) if name.startswith(begun)]


SiteName = Annotated[
    str,
    typer.Option("--site", help="Where the workers are: see `znought sites`.", autocompletion=_sites),
]
Fileset = Annotated[Path | None, typer.Option("--fileset", help="An existing fileset.json to read.")]
Scale = Annotated[float, typer.Option("--events-scale", min=1e-6, help="Multiplies all generated events.")]
Force = Annotated[bool, typer.Option("--force", help="Redo what still holds.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="STAGE", help="Redo from this stage on.", autocompletion=_stages),
]
Unblind = Annotated[bool, typer.Option("--unblind", help="Show data in signal bins too (logged).")]
UnblindTo = Annotated[
    str | None, typer.Option("--unblind-to", metavar="STEP", help="control, validation, tails or signal.")
]
At = Annotated[
    list[str] | None,
    typer.Option(
        "--at", metavar="STAGE=SITE", help="Another site for one stage, e.g. train=local; repeat it."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, last.")]
MaxFiles = Annotated[
    int | None, typer.Option("--max-files", min=1, help="Only the first files of each dataset, for a trial.")
]
MaxChunks = Annotated[
    int | None,
    typer.Option("--max-chunks", min=1, help="Only the first chunks of each dataset, for a trial."),
]
Skim = Annotated[
    Path | None,
    typer.Option("--skim", metavar="DIR", help="Write the selected events as ntuples into this new folder."),
]
