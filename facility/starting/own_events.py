"""`znought init NAME`: an analysis, its card and events to run it on."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from znought.errors import CardError
from znought.facility.cards.finding import is_taken
from znought.facility.workspace import write_text

__all__ = ["new_folder", "start", "write_analysis"]

LUMI_IFB = 10.0
SEED = 20190212


def start(folder: Path) -> list[Path]:
    """Writes an analysis, a card and its events into a new folder; the files.

    Raises:
        CardError: the folder is there already, or its name is none for a Python file.
    """
    # Events are drawn with numpy alone; no generator is imported.
    from znought.simulation.resonance import SAMPLES, write_samples

    name = new_folder(folder)
    xsec_pb = {dataset: sample.xsec_pb for dataset, sample in SAMPLES.items()}
    content = {"name": name, "lumi_ifb": LUMI_IFB, "xsec_pb": xsec_pb}
    events = write_samples(folder / "ntuples", lumi_ifb=LUMI_IFB, seed=SEED)
    return [*write_analysis(folder, "own_events", content), *events.values()]


def new_folder(folder: Path) -> str:
    """The name of a new analysis, whose folder is not there yet.

    Raises:
        CardError: it is, or its name is none for a Python file, or that of a module which others import.
    """
    name = folder.name
    if folder.exists():
        raise CardError(f"{folder} is there already, and nothing is overwritten: choose another name.")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise CardError(
            f"NAME: expected letters, digits and underscores, a letter first. Received: {name!r}."
        )
    if is_taken(name, folder / f"{name}.py"):
        raise CardError(f"NAME: {name!r} is the name of a Python module, which {name}.py would hide.")
    return name


def write_analysis(folder: Path, template: str, content: Mapping[str, Any]) -> list[Path]:
    """Writes the analysis file and the card of a template; both paths."""
    environment = Environment(
        loader=PackageLoader("znought.facility.starting"),
        autoescape=False,  # Python and YAML, no page
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    written = []
    for suffix in ("py", "yaml"):
        text = environment.get_template(f"{template}.{suffix}.jinja").render(content)
        path = folder / f"{content['name']}.{suffix}"
        write_text(path, text)
        written.append(path)
    return written
