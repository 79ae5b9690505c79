"""Scale factors of the card on the objects of an analysis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.processors.calibration.efficiency import tag_factors
from znought.processors.calibration.official import OfficialFactor
from znought.processors.calibration.weighing import Factor, Weighable, official_factors
from znought.processors.canonical.source import Source
from znought.processors.corrections import correction, evaluated_correction
from znought.processors.namespace import Objects
from znought.processors.weights import Direction, ScaleFactor

__all__ = ["Weighed"]

Floats = NDArray[np.float64]
Values = Callable[[str], NDArray[Any]]

_TRACK_ETA = "pseudorapidity of the track in place of that of the supercluster"
_ALIASES: Mapping[str, str] = {"flavour": "hadronFlavour", "discriminant": "btag"}


@dataclass(frozen=True)
class Weighed:
    """Selected events of a chunk that scale factors are worked out for.

    Attributes:
        objects: of the analysis, of these events only.
        source: of the canonical events.
        events: indices in the chunk, shape (n_selected,).
    """

    objects: Objects
    source: Source
    events: NDArray[np.int64]

    def factors(self, wanted: Mapping[str, ScaleFactor]) -> dict[str, dict[Direction, Floats]]:
        """Each scale factor in its directions, multiplied over the objects of every event.

        With an `efficiency` ε the objects are jets, tagged where `is_btagged`: a tagged one gives f, another
        one (1 − f ε)/(1 − ε).

        Args:
            wanted: scale factors by name; `applies_to` is "event" or a key of the analysis's objects.

        Raises:
            CardError: an object or an input does not exist.
            DataError: the file lacks what a factor needs, or a factor is not finite.

        References:
            CMS BTV, https://btv-wiki.docs.cern.ch/PerformanceCalibration/fixedWPSFRecommendations/
            (method 1a).
        """
        found: dict[str, dict[Direction, Floats]] = {}
        for name, factor in wanted.items():
            ways: tuple[Direction, ...] = ("nominal", "up", "down") if factor.has_variations else ("nominal",)
            found[name] = {way: self._factor(name, factor, way) for way in ways}
        return found

    def official(
        self, wanted: Mapping[str, Factor], *, nominal_only: bool = False
    ) -> dict[str, dict[str, Floats]]:
        """Each official scale factor in its ways, multiplied over the objects of every event.

        Args:
            wanted: scale factors by name.
            nominal_only: leave out their variations.

        Raises:
            CardError: an object or one of its variables does not exist.
            DataError: as `official_factors`.
        """
        chunk = self.source.chunk
        return official_factors(chunk, wanted, self.events, self.weighable, nominal_only=nominal_only)

    def weighable(self, factor: OfficialFactor) -> Weighable:
        """Objects that an official scale factor is of."""
        flat, event = _flat(self._named(factor.weight, "objects", factor.objects))
        return Weighable(event, self._object_values(factor.weight, flat))

    def _factor(self, name: str, factor: ScaleFactor, way: Direction) -> Floats:
        """One scale factor in one direction, shape (n_selected,)."""
        try:
            if factor.applies_to == "event":
                values = self._event_values(name)
                result = _evaluated(factor, factor.correction, values, len(self.events), way)
            else:
                result = self._product(name, factor, way)
        except DataError as error:
            path = self.source.chunk.path
            raise DataError(f"weights.{name}: {path}: {str(error).removeprefix(f'{path}: ')}") from error
        if not np.isfinite(result).all():
            message = f"weights.{name} ({way}) is not finite for {int((~np.isfinite(result)).sum())} events"
            raise DataError(f"{self.source.chunk.path}: {message}.")
        return result

    def _product(self, name: str, factor: ScaleFactor, way: Direction) -> Floats:
        """Product over the objects of each event, 1 where there is none."""
        flat, event = _flat(self._named(name, "applies_to", factor.applies_to))
        values = self._object_values(name, flat)
        if factor.flavours:
            keep = np.isin(values("flavour"), factor.flavours)
            flat, event = flat[keep], event[keep]
            values = self._object_values(name, flat)
        each = _evaluated(factor, factor.correction, values, len(event), way)
        if factor.efficiency:
            efficiency = _evaluated(factor, factor.efficiency, values, len(event), "nominal")
            each = tag_factors(each, efficiency, values("is_btagged"))
        product = np.ones(len(self.events))
        np.multiply.at(product, event, each)
        return product

    def _named(self, name: str, key: str, objects: str) -> Any:
        """Objects of the analysis by name.

        Raises:
            CardError: it has none of that name.
        """
        if objects not in self.objects:
            raise CardError(f"weights.{name}.{key}: {unknown_name('object', objects, dir(self.objects))}")
        return getattr(self.objects, objects)

    def _event_values(self, name: str) -> Values:
        """Variables of the events as a whole: the true interactions, and arrays among the objects."""

        def value(variable: str) -> NDArray[Any]:
            view = self.source.chunk.view
            if variable in self.objects:
                return np.asarray(ak.to_numpy(getattr(self.objects, variable)))
            if variable == "pileup" and view.has("pileup"):
                return np.asarray(view.scalar("pileup")[self.events])
            text = unknown_name("event variable", variable, ["pileup", *dir(self.objects)])
            raise CardError(f"weights.{name}: {text}")

        return value

    def _object_values(self, name: str, flat: ak.Array) -> Values:
        """Fields of objects; `abs_eta` is |η|, `flavour` that of the hadron."""

        def value(variable: str) -> NDArray[Any]:
            field = _ALIASES.get(variable, variable)
            if variable == "abs_eta":
                return np.asarray(np.abs(value("eta")))
            if variable == "supercluster_eta":
                if "deltaEtaSC" in ak.fields(flat):
                    return np.asarray(value("eta") + value("deltaEtaSC"))
                self.source.declare("Electron.supercluster_eta", _TRACK_ETA)
                return value("eta")
            if field not in ak.fields(flat):
                text = unknown_name("variable", variable, ["abs_eta", *_ALIASES, *ak.fields(flat)])
                raise CardError(f"weights.{name}: {text}")
            return np.asarray(ak.to_numpy(flat[field]))

        return value


def _flat(objects: ak.Array) -> tuple[ak.Array, NDArray[np.int64]]:
    """All objects in one row, and the event of each; an event may have a list of them, one, or None."""
    if objects.ndim > 1:
        counts = ak.to_numpy(ak.fill_none(ak.num(objects), 0))
        return ak.flatten(ak.drop_none(objects)), np.repeat(np.arange(len(counts)), counts)
    there = ~ak.to_numpy(ak.is_none(objects))
    return ak.drop_none(objects), np.flatnonzero(there)


def _evaluated(factor: ScaleFactor, name: str, values: Values, n_values: int, way: Direction) -> Floats:
    """One correction in one direction, shape (n_values,)."""
    arguments: dict[str, Any] = {}
    for item in correction(factor.file, name).inputs:
        if item.name == factor.systematic_input:
            arguments[item.name] = factor.systematics[way]
        elif item.name in factor.fixed:
            arguments[item.name] = factor.fixed[item.name]
        else:
            kind = np.int64 if item.type == "int" else np.float64
            arguments[item.name] = values(factor.variable(item.name)).astype(kind)
    return evaluated_correction(factor.file, name, arguments, n_values)
