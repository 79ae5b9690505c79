"""What an analysis is: its cuts, its variables, and the functions that make columns out of events.

A value that the engine is given: it holds plain functions and frozen records, and nothing registers itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from znought.errors import CardError

__all__ = ["CHANNEL", "ERA", "Analysis", "Cuts", "Histogram", "ProcessStyle", "Variable"]

CHANNEL = "channel"
ERA = "era"
"""Column of analyses with channels: the place of the event's channel among them, from 0."""

Function = Callable[..., Any]
Bins = tuple[int, float, float] | Literal["integer"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# Columns that every row has beside the variables.
RESERVED = frozenset({"run", "luminosityBlock", "event", "response", "fold", "event_weight", "gen_weight"})


class Cuts(BaseModel):
    """Numbers of a selection: the card's section `selection`, with defaults, types and checks.

    Attributes:
        btag_working_points: branch or dialect → smallest discriminant of a b-jet, where it is not that of
            the era's public file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    btag_working_points: dict[str, float] = {}


@dataclass(frozen=True, init=False)
class Variable:
    """One number per selected event: how it is computed, binned and written.

    Attributes:
        name: its column; that of the function unless given.
        function: from the objects of the passing events to shape (n_events,); None where the analysis
            makes all columns at once.
        bins: (number, lower, upper) of equal bins, or "integer" for one bin per whole number.
        edges: of unequal bins, instead of `bins`.
        label: in mathtext, without the unit.
        unit: of the values; empty for pure numbers.
        undefined: stands for None and NaN; where it is not given they stop the run.
    """

    name: str
    function: Function | None
    bins: Bins | None
    edges: tuple[float, ...]
    label: str
    unit: str
    undefined: float | None

    def __init__(
        self,
        name: str | Function,
        function: Function | None = None,
        *,
        bins: Bins | None = None,
        edges: Iterable[float] = (),
        label: str = "",
        unit: str = "",
        undefined: float | None = None,
    ) -> None:
        """A variable from a name and a function, or from a function that has a name.

        Raises:
            CardError: a name that is no identifier, or bins that are none.

        >>> Variable("n_b", lambda o: o.n, bins="integer", label="$N_b$").axis_label
        '$N_b$'
        >>> Variable("ht", bins=(25, 50, 550), label="$H_T$", unit="GeV").axis_label
        '$H_T$ [GeV]'
        """
        if not isinstance(name, str):
            function, name = name, str(getattr(name, "__name__", ""))
        values = {
            "name": name,
            "function": function,
            "bins": bins,
            "edges": tuple(float(edge) for edge in edges),
            "label": label or name,
            "unit": unit,
            "undefined": undefined,
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)
        _check_variable(self)

    @property
    def is_binned(self) -> bool:
        """Whether it has bins of its own."""
        return self.bins is not None or bool(self.edges)

    @property
    def axis_label(self) -> str:
        """Label with the unit in brackets."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


def _check_variable(variable: Variable) -> None:
    name, bins, edges = variable.name, variable.bins, variable.edges
    if not _NAME.fullmatch(name):
        raise CardError(
            f"Variable {name!r}: expected a name of letters, digits and underscores; "
            "a lambda needs one: Variable('name', lambda o: ...)."
        )
    if name in RESERVED:
        raise CardError(f"Variable {name!r}: this name is that of a column which every event has.")
    if bins is not None and edges:
        raise CardError(f"Variable {name!r}: expected bins or edges, received both.")
    if isinstance(bins, tuple):
        if len(bins) != 3 or int(bins[0]) != bins[0] or bins[0] < 1 or not bins[1] < bins[2]:
            raise CardError(f"Variable {name!r}: expected bins=(number, lower, upper). Received: {bins!r}.")
    elif bins not in (None, "integer"):
        raise CardError(f"Variable {name!r}: expected bins=(number, lower, upper) or 'integer'.")
    if edges and (len(edges) < 2 or any(b <= a for a, b in pairwise(edges))):
        raise CardError(f"Variable {name!r}: expected rising edges. Received: {list(edges)!r}.")


@dataclass(frozen=True)
class Histogram:
    """A histogram of selected events beyond those of variables: of objects, or of two values at once.

    Attributes:
        name: it stands as `<process>/<name>` in `hists/inputs.root`.
        function: from the objects of the passing events to the values of each axis: one array, or a tuple of
            them; one value per event, or a list of any number of objects, each of which fills.
        axes: one or two variables with bins, which need no function.
    """

    name: str
    function: Function
    axes: Sequence[Variable]

    def __post_init__(self) -> None:
        object.__setattr__(self, "axes", tuple(self.axes))
        if not _NAME.fullmatch(self.name):
            raise CardError(f"Histogram {self.name!r}: expected a name of letters, digits and underscores.")
        if not 1 <= len(self.axes) <= 2:
            raise CardError(f"Histogram {self.name!r}: expected one or two axes, received {len(self.axes)}.")
        bare = [axis.name for axis in self.axes if not axis.is_binned]
        if bare:
            raise CardError(f"Histogram {self.name!r}: axis {bare[0]!r} has neither bins nor edges.")


@dataclass(frozen=True)
class ProcessStyle:
    """How a process or class is written and coloured.

    Attributes:
        label: in mathtext.
        colour: as matplotlib names it; None takes the next free one.
    """

    label: str
    colour: str | None = None


@dataclass(frozen=True)
class Analysis:
    """One analysis: a user writes this and a card, and nothing else.

    Attributes:
        name: as results and reports call it.
        selection: class of the card's section `selection`.
        objects: function(events, cuts) → {name: objects}.
        select: function(o, cuts) → {row of the cutflow: mask}, and-ed in order.
        variables: what is computed for every selected event.
        histograms: of objects or of two values at once, for every selected event, nominal.
        weights: function(o) → {name: array, or (nominal, up, down)}, of simulated events.
        channels: name → function(o) → mask; disjoint. Each region of the card is then one in every channel,
            too, and so is each region of the fit. None has one channel without a name.
        split: function(o) → {process: mask}, disjoint and complete: which process each event of a dataset
            that the card splits is of, by its generator-level content.
        generator: name → function(o) → one generator-level number per event, such as the scalar sum of
            the partons' pT: samples that overlap in it are stitched together.
        templates: function({region: templates}) → the same, changed: between templates and fit, such as a
            background that other regions predict. It sees the observed counts of opened data alone.
        columns: function(chunk, request) that replaces `objects`, `select` and the functions of variables.
        calibrates: `columns` takes jets as `request.jets` says; else a card that calibrates them is refused.
        takes_loose: `columns` keeps loose leptons as `request.loose` says; else a card with `fake_leptons` is
            refused.
        sections: name → pydantic model, or (model, default), of further sections of the card.
        card: class of the whole card, for sections that depend on one another; then `sections` is not used.
        flow: stages, results and tables of an analysis that does not follow the standard flow.
        stages: of its own, behind the standard ones.
        figures: functions(what `load_results` gives) → matplotlib figure, beside the standard ones; named as
            the function, with its docstring as title and caption.
        recipes: name → recipe of simulated events.
        processes: name → how a process or class is drawn.
    """

    name: str
    selection: type[Cuts] = Cuts
    objects: Function | None = None
    select: Function | None = None
    variables: Sequence[Variable] = ()
    histograms: Sequence[Histogram] = ()
    weights: Function | None = None
    channels: Mapping[str, Function | None] = field(default_factory=dict)
    split: Function | None = None
    generator: Mapping[str, Function] = field(default_factory=dict)
    templates: Function | None = None
    columns: Function | None = None
    calibrates: bool = False
    takes_loose: bool = False
    sections: Mapping[str, Any] = field(default_factory=dict)
    card: Any = None
    flow: Any = None
    stages: tuple[Any, ...] = ()
    figures: tuple[Function, ...] = ()
    recipes: Mapping[str, Any] = field(default_factory=dict)
    processes: Mapping[str, ProcessStyle] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "variables", tuple(self.variables))
        object.__setattr__(self, "stages", tuple(self.stages))
        object.__setattr__(self, "figures", tuple(self.figures))
        object.__setattr__(self, "histograms", tuple(self.histograms))
        names = [*self.variable_names, *(one.name for one in self.histograms)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            kinds = "variables" if twice[0] not in names[len(self.variables) :] else "histograms or variables"
            raise CardError(f"Analysis {self.name!r}: two {kinds} are called {twice[0]!r}.")
        if self.channels and CHANNEL in names:
            raise CardError(f"Analysis {self.name!r}: {CHANNEL!r} is the name of a column of its channels.")
        if self.columns is None:
            _check_functions(self)
        elif self.split is not None or self.generator or self.histograms:
            message = "split, generator and histograms need objects, which columns replaces"
            raise CardError(f"Analysis {self.name!r}: {message}.")

    @property
    def variable_names(self) -> tuple[str, ...]:
        """Names of the variables, in order."""
        return tuple(variable.name for variable in self.variables)

    @property
    def channel_variable(self) -> Variable | None:
        """The column that tells channels of plain functions apart; None without any."""
        if not self.channels or self.columns is not None:
            return None
        numbers = ", ".join(f"{i}: {name}" for i, name in enumerate(self.channels))
        edges = (place - 0.5 for place in range(len(self.channels) + 1))
        return Variable(CHANNEL, edges=edges, label=f"Channel ({numbers})")

    @property
    def for_workers(self) -> "Analysis":
        """What makes columns, without what only the client needs."""
        return replace(self, card=None, flow=None, stages=(), figures=(), recipes={}, sections={})


def _check_functions(analysis: Analysis) -> None:
    for name in ("objects", "select"):
        given = getattr(analysis, name)
        if not callable(given):
            raise CardError(f"Analysis {analysis.name!r}: expected a function {name}, received {given!r}.")
    for variable in analysis.variables:
        if not callable(variable.function):
            raise CardError(
                f"Analysis {analysis.name!r}: variable {variable.name!r} needs a function of the objects."
            )
