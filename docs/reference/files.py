"""Every file of an output directory, and the stage that writes it."""

import inspect
from pathlib import Path

from reference.documented import first_line, table
from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard
from znought.facility.standard import standard_flow
from znought.facility.workspace import Workspace

__all__ = ["files"]


def files() -> str:
    """One row for each name of the workspace."""
    here = Workspace(Path())
    card = load_card(Path(__file__).parents[2] / "analyses" / "vh_ww.yaml")  # its flow has every stage
    assert isinstance(card, StandardCard)
    flow = standard_flow(card)
    stages = (*flow.stages, *flow.aside)
    rows = []
    for name, place in inspect.getmembers(Workspace, lambda member: isinstance(member, property)):
        path = getattr(here, name).as_posix()
        writers = ", ".join(f"`{stage.name}`" for stage in stages if name in stage.writes)
        shown = path if Path(path).suffix else f"{path}/"
        rows.append((f"`{shown}`", writers, first_line(place.fget)))
    return table(("file or folder", "written by", "what it holds"), sorted(rows))
