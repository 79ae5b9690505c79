"""One evaluation of an analysis's functions: objects, selection, channels, weights and variables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analysis import Analysis
from znought.errors import CardError, unknown_name
from znought.processors.calling import Caller
from znought.processors.canonical import CanonicalEvents
from znought.processors.evaluated import WHOLE, Request
from znought.processors.factors import Weighed
from znought.processors.kept import ALL, WEIGHTS, Kept
from znought.processors.loose import marked_leptons, selected_leptons
from znought.processors.namespace import GIVEN, Objects, n_entries
from znought.processors.objectwise import values_of
from znought.processors.weights import Direction, Factors

__all__ = ["Pass"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Pass:
    """One evaluation of all functions.

    Attributes:
        analysis: the functions.
        request: cuts, scale factors and channels.
        events: nominal or moved ones.
        generated: their generator weights.
        rows: their indices in the chunk; None for all of it.
        is_varied: whether they are moved.
        reweighted: variation that only weighs → weights in the place of `generated`.
    """

    analysis: Analysis
    request: Request
    events: CanonicalEvents
    generated: Floats
    rows: Indices | None = None
    is_varied: bool = False
    reweighted: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def _caller(self) -> Caller:
        return Caller(self.events.source)

    @property
    def _n_events(self) -> int:
        return len(self.generated)

    def kept(self) -> dict[str, Kept]:
        """Channel → what is left."""
        objects = self.objects()
        names, passed = self._selected(objects)
        selected = np.flatnonzero(passed == len(names)).astype(np.int64)
        request = self.request
        is_weighed = self.analysis.weights is not None or bool(request.weights or request.factors)
        found: dict[str, Kept] = {}
        for channel, mask in self._channels(objects.only(selected), len(selected)).items():
            rows, last, event = names, passed, selected[mask]
            if channel != WHOLE:
                rows, last = (*names, channel), passed.copy()
                last[event] += 1
            some = objects.only(event)
            weights = self._weights(some, event)
            columns = self._columns(some, len(event))
            histograms = () if self.is_varied else self.analysis.histograms
            drawn = values_of(histograms, self._caller, some, len(event))
            found[channel] = Kept(rows, last, event, weights, columns, is_weighed, drawn)
        return found

    def split(self, parts: Mapping[str, str]) -> dict[str, NDArray[np.bool_]]:
        """Part → which events are of its process, by the function `split`; every event of exactly one.

        Args:
            parts: part → process.

        Raises:
            DataError: the function speaks of other processes, or an event is of none or of several.
        """
        function, wrong = self.analysis.split, self._caller.wrong
        assert function is not None, "checked when the card was read"
        given = self._caller.call("split", function, self.objects())
        if not isinstance(given, Mapping):
            raise wrong("split", function, f"expected {{process: mask}}, received {type(given).__name__}.")
        if {*given} != {*parts.values()}:
            received, expected = ", ".join(map(str, given)), ", ".join(parts.values())
            message = f"expected masks of {expected}, as in the card; received {received}."
            raise wrong("split", function, message)
        masks = {
            part: self._caller.mask(f"split, process {name!r}", function, given[name], self._n_events)
            for part, name in parts.items()
        }
        n_owners = np.sum([*masks.values()], axis=0)
        for bad, said in ((n_owners == 0, "without a process"), (n_owners > 1, "in several processes")):
            if bad.any():
                raise wrong("split", function, f"{int(bad.sum())} of {self._n_events} events are {said}.")
        return masks

    def in_ranges(
        self, parts: Mapping[str, Sequence[float | None]], variable: str
    ) -> dict[str, NDArray[np.bool_]]:
        """Part → which events lie in its range of a generator-level variable; every event in exactly one.

        Args:
            parts: part → (lower, upper), None for an open side.
            variable: of the analysis.

        Raises:
            DataError: an event lies outside all of them, where the dataset was not generated.
        """
        function, what = self.analysis.generator[variable], f"generator {variable!r}"
        given = self._caller.call(what, function, self.objects())
        values = self._caller.numbers(what, function, given, self._n_events, undefined=None)
        masks = {
            part: (values >= (-np.inf if low is None else low))
            & (values < (np.inf if high is None else high))
            for part, (low, high) in parts.items()
        }
        outside = ~np.any([*masks.values()], axis=0)
        if outside.any():
            message = (
                f"{int(outside.sum())} of {self._n_events} events (the first: {values[outside][0]:g}) lie"
            )
            raise self._caller.wrong(what, function, f"{message} outside the dataset's generator_range.")
        return masks

    def objects(self) -> Objects:
        """The namespace `o`."""
        function, chunk = self.analysis.objects, self.events.source.chunk
        assert function is not None, "checked when the analysis was made"
        events = self.events.array
        if self.request.loose:
            events = marked_leptons(events, self.request.loose)
        given = self._caller.call("objects", function, events, self.request.cuts)
        if not isinstance(given, Mapping):
            message = f"expected {{name: objects}}, received {type(given).__name__}."
            raise self._caller.wrong("objects", function, message)
        for name, value in given.items():
            if name in GIVEN:
                message = f"{name!r} is given already; the objects need another name."
                raise self._caller.wrong("objects", function, message)
            if (found := n_entries(value)) is not None and found != self._n_events:
                message = f"{name!r} has {found} entries for {self._n_events} events."
                raise self._caller.wrong("objects", function, message)
        given_always = (self.request.cuts, events, chunk.is_data, chunk.dataset, chunk.era)
        return Objects({**given, **dict(zip(GIVEN, given_always, strict=True))})

    def _selected(self, objects: Objects) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """Rows of the cutflow, and how many of them each event passed in order."""
        function = self.analysis.select
        assert function is not None, "checked when the analysis was made"
        rows = self._caller.call("select", function, objects, self.request.cuts)
        if not isinstance(rows, Mapping):
            message = f"expected {{row: mask}}, received {type(rows).__name__}."
            raise self._caller.wrong("select", function, message)
        if taken := {ALL, WEIGHTS, *self.analysis.channels} & set(rows):
            message = f"row {sorted(taken)[0]!r} is made by znought; give it another name."
            raise self._caller.wrong("select", function, message)
        alive = np.ones(self._n_events, np.bool_)
        passed = np.ones(self._n_events, np.int64)
        for name, values in rows.items():
            alive &= self._caller.mask(f"select, row {name!r}", function, values, self._n_events)
            passed += alive
        return (ALL, *rows), passed

    def _channels(self, objects: Objects, n_events: int) -> dict[str, NDArray[np.bool_]]:
        """Mask of each channel asked for among the events that passed."""
        channels = self.analysis.channels
        if not channels:
            return {WHOLE: np.ones(n_events, np.bool_)}
        masks: dict[str, NDArray[np.bool_]] = {}
        taken = np.zeros(n_events, np.bool_)
        for name, function in channels.items():
            if function is None:
                raise CardError(
                    f"Analysis {self.analysis.name!r}: channel {name!r} needs a function of the objects."
                )
            what = f"channel {name!r}"
            masks[name] = self._caller.mask(
                what, function, self._caller.call(what, function, objects), n_events
            )
            if (both := taken & masks[name]).any():
                message = f"{int(both.sum())} events are in another channel too; channels are disjoint."
                raise self._caller.wrong(what, function, message)
            taken |= masks[name]
        wanted = tuple(channels) if self.request.channels == (WHOLE,) else self.request.channels
        for name in wanted:
            if name not in masks:
                raise CardError(unknown_name("channel", name, channels))
        return {name: masks[name] for name in wanted}

    def _columns(self, objects: Objects, n_events: int) -> dict[str, NDArray[Any]]:
        """Every variable of the selected events; functions are not bothered with none of them."""
        columns: dict[str, NDArray[Any]] = {}
        for variable in self.analysis.variables:
            what, function = f"variable {variable.name!r}", variable.function
            assert function is not None, "checked when the analysis was made"
            if n_events == 0:
                columns[variable.name] = np.zeros(0)
                continue
            values = self._caller.call(what, function, objects)
            columns[variable.name] = self._caller.numbers(
                what, function, values, n_events, undefined=variable.undefined
            )
        if self.request.loose:
            columns |= selected_leptons(objects, self.request.loose, n_events)
        return columns

    def _weights(self, objects: Objects, event: Indices) -> dict[str, Floats]:
        """Weight of the selected events, and of nominal ones the same with each factor varied."""
        generated = self.generated[event]
        source = self.events.source
        if source.chunk.is_data:
            return {"gen_weight": generated}
        given = self._given_weights(objects, len(event))
        official = self.request.factors.get(source.chunk.dataset, {})
        if twice := sorted(set(given) & {*self.request.weights, *official}):
            raise CardError(f"weights.{twice[0]}: the analysis has a weight of this name too.")
        in_chunk = event if self.rows is None else self.rows[event]
        weighed = Weighed(objects, source, in_chunk)
        given |= weighed.factors(self.request.weights)
        given |= weighed.official(official, nominal_only=self.is_varied)
        product = Factors.of(given, len(event), self.request.varied_factors)
        weights = {"gen_weight": generated * product.nominal}
        if not self.is_varied:
            weights |= {f"gen_weight_{name}": generated * varied for name, varied in product.varied.items()}
            for name, others in self.reweighted.items():
                weights[f"gen_weight_{name}"] = others[event] * product.nominal
        return weights

    def _given_weights(self, objects: Objects, n_events: int) -> dict[str, Mapping[Any, Floats]]:
        """What the function `weights` returns, by name and direction."""
        function = self.analysis.weights
        if function is None:
            return {}
        given = self._caller.call("weights", function, objects)
        if not isinstance(given, Mapping):
            message = f"expected {{name: array or (nominal, up, down)}}, received {type(given).__name__}."
            raise self._caller.wrong("weights", function, message)
        return {name: self._given_weight(name, values, n_events) for name, values in given.items()}

    def _given_weight(self, name: str, values: Any, n_events: int) -> dict[Direction, Floats]:
        """One weight in its directions."""
        function, what = self.analysis.weights, f"weights, {name!r}"
        assert function is not None, "only asked where there is one"
        directions: tuple[Direction, ...] = ("nominal", "up", "down")
        if not isinstance(values, tuple):
            return {"nominal": self._caller.numbers(what, function, values, n_events, undefined=None)}
        if len(values) != len(directions):
            message = f"expected an array or (nominal, up, down), received {len(values)} arrays."
            raise self._caller.wrong(what, function, message)
        return {
            way: self._caller.numbers(what, function, part, n_events, undefined=None)
            for way, part in zip(directions, values, strict=True)
        }
