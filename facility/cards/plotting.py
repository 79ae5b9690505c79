"""Section `plotting` of a card: which figures are drawn, and how."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from znought.facility.cards.section import Section
from znought.plots.labels import Experiment

__all__ = ["PlottedVariable", "Plotting"]

Format = Literal["pdf", "png", "svg"]


class PlottedVariable(Section):
    """How one variable is drawn.

    Attributes:
        label: in mathtext, without the unit; by default as the analysis writes it.
        unit: of the values; by default as the analysis has it.
        bins: (number, lower, upper) of equal bins in the regions' figures.
        edges: of unequal bins, instead of `bins`.
        rebin: how many neighbouring bins are drawn as one, wherever the variable is drawn.
        range: what is drawn of it, wherever it is drawn; the nearest bins are, whole.
        log: yields on a logarithmic axis.
    """

    label: str | None = None
    unit: str | None = None
    bins: tuple[Annotated[int, Field(ge=1)], float, float] | None = None
    edges: tuple[float, ...] = ()
    rebin: Annotated[int, Field(ge=1)] = 1
    range: tuple[float, float] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _bins_rise(self) -> "PlottedVariable":
        if self.bins is not None and self.edges:
            raise ValueError("expected bins or edges, received both")
        if self.edges and (len(self.edges) < 2 or any(b <= a for a, b in pairwise(self.edges))):
            raise ValueError(f"edges: expected two or more rising numbers, received {list(self.edges)}")
        for name, ends in (("bins", self.bins and self.bins[1:]), ("range", self.range)):
            if ends and not ends[0] < ends[1]:
                raise ValueError(f"{name}: expected a lower and a higher end, received {ends[0]}, {ends[1]}")
        return self


class Plotting(Section):
    """Which figures are drawn, and how; a change redraws figures and report and nothing else.

    Attributes:
        variables: drawn in every region, in this order; every binned variable unless given.
        axes: variable → how it is drawn.
        names: region, systematic or parameter → as figures write it.
        order: processes from the bottom of stacks; those not named follow by size, the signal last.
        style: fonts of an experiment, and its name before the label above the frame; what its collaboration
            has not approved is not for others to sign with it.
        formats: of figures; the report takes PNG, which is always written.
    """

    variables: tuple[str, ...] = ()
    axes: dict[str, PlottedVariable] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)
    order: tuple[str, ...] = ()
    style: Experiment = "none"
    formats: tuple[Format, ...] = ("pdf", "png", "svg")
