"""Leptons that fail the identification, kept beside those that pass: what fake factors are measured with.

An analysis selects leptons that are tight or loose, and loose means not tight. Its events without a loose
lepton are the selection; the others are kept apart, under the name of a variation of their own, with what a
fake factor needs to know of their leptons.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.processors.dialects.base import Flavour
from znought.processors.evaluated import NOMINAL, Evaluated, Evaluation
from znought.processors.objects import Leptons

__all__ = [
    "FLAVOURS",
    "LOOSE",
    "MOST_LOOSE",
    "TIGHT_ROW",
    "LeptonDefinition",
    "apart",
    "lepton_columns",
    "loose_columns",
    "marked_leptons",
    "selected_leptons",
    "with_loose",
]

FLAVOURS: tuple[Flavour, ...] = ("electron", "muon")
"""By the number that columns have for each."""
LOOSE = "loose"
"""Name under which events with loose leptons are kept beside variations."""
TIGHT_ROW = "tight_leptons"
"""Row of the cutflow that leaves them out."""
MOST_LOOSE = 3
_N_LOOSE = "n_loose"
_PROBE = ("probe_pt", "probe_abs_eta", "probe_flavour")
_PROBE_IS_LOOSE = "probe_is_loose"

Limits = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class LeptonDefinition:
    """When a lepton of one flavour is tight, and when loose.

    Attributes:
        objects: name that the analysis gives its leptons of this flavour.
        tight: field → lower ≤ value < upper, beside the identification of the format or the era.
        loose: the same; leptons that are identified, unless it speaks of `is_tight` itself.
    """

    objects: str
    tight: Limits = field(default_factory=dict)
    loose: Limits = field(default_factory=dict)

    def masks(self, values: Callable[[str], Any]) -> tuple[Any, Any]:
        """Which leptons are tight and which are loose.

        Args:
            values: field → its values for all leptons.
        """
        identified = values("is_tight")
        tight = identified & _inside(self.tight, values)
        loose = _inside(self.loose, values)
        if "is_tight" not in self.loose:
            loose = loose & identified
        return tight, loose & ~tight


def _inside(limits: Limits, values: Callable[[str], Any]) -> Any:
    inside: Any = True
    for name, (lower, upper) in limits.items():
        found = values(name) * 1.0
        if lower is not None:
            inside = inside & (found >= lower)
        if upper is not None:
            inside = inside & (found < upper)
    return inside


def marked_leptons(events: ak.Array, definitions: Mapping[str, LeptonDefinition]) -> ak.Array:
    """Canonical events whose `is_tight` holds for tight and for loose leptons, which `is_loose` tells apart.

    Args:
        events: as the analysis's function `objects` is given them.
        definitions: flavour → definition.

    Raises:
        DataError: a field that leptons do not have.
    """
    for flavour, definition in definitions.items():
        name = flavour.capitalize()
        leptons = events[name]

        def values(one: str, leptons: ak.Array = leptons, name: str = name) -> ak.Array:
            if one not in leptons.fields:
                raise DataError(f"fake_leptons: {name}: {unknown_name('field', one, leptons.fields)}")
            return leptons[one]

        tight, loose = definition.masks(values)
        leptons = ak.with_field(ak.with_field(leptons, tight | loose, "is_tight"), loose, "is_loose")
        events = ak.with_field(events, leptons, name)
    return events


def with_loose(leptons: Leptons, definition: LeptonDefinition) -> Leptons:
    """Plain leptons of which tight and loose ones are identified.

    Raises:
        DataError: the definition speaks of a field that they do not have.
    """
    fields = {
        "is_tight": leptons.identified,
        "isolation": leptons.isolation,
        "pt": leptons.pt,
        "eta": leptons.eta,
    }

    def values(name: str) -> NDArray[Any]:
        if name not in fields:
            raise DataError(f"fake_leptons: {definition.objects}: {unknown_name('field', name, fields)}")
        return fields[name]

    tight, loose = definition.masks(values)
    return replace(leptons, identified=np.asarray(tight | loose), loose=np.asarray(loose))


def selected_leptons(
    objects: Any, definitions: Mapping[str, LeptonDefinition], n_events: int
) -> dict[str, NDArray[Any]]:
    """What fake factors need to know of the leptons that an analysis has selected, shape (n_events,) each.

    Args:
        objects: the namespace `o`.
        definitions: flavour → definition.
        n_events: selected ones.

    Raises:
        DataError: an event with more than three loose leptons, or objects that are no leptons of the events.
    """
    parts: list[tuple[NDArray[Any], ...]] = []
    for flavour, definition in definitions.items():
        leptons = getattr(objects, definition.objects)
        leptons = ak.drop_none(ak.singletons(leptons) if leptons.ndim == 1 else leptons)
        if "is_loose" not in leptons.fields:
            raise DataError(
                f"fake_leptons.leptons.{flavour}.objects: {definition.objects!r} are not made of "
                f"events.{flavour.capitalize()}: they have no is_loose."
            )
        event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(leptons)))
        values = [ak.to_numpy(ak.flatten(leptons[name])) for name in ("pt", "eta", "is_loose")]
        parts.append((event, np.full(len(event), FLAVOURS.index(flavour)), *values))
    return lepton_columns(n_events, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def lepton_columns(
    n_events: int,
    event: NDArray[np.integer],
    flavour: NDArray[np.integer],
    pt: NDArray[np.floating],
    eta: NDArray[np.floating],
    is_loose: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Number of loose leptons, the softest lepton, and the loose ones from the hardest on; −1 for none.

    Args:
        n_events: selected ones.
        event: of every selected lepton, shape (n_leptons,).
        flavour: place in `FLAVOURS`.
        pt, eta: GeV; of the same shape.
        is_loose: whether it is not tight.

    Raises:
        DataError: an event with more than three loose leptons.
    """
    n_loose = np.bincount(event[is_loose], minlength=n_events)
    if n_loose.max(initial=0) > MOST_LOOSE:
        raise DataError(
            f"fake_leptons: an event has {n_loose.max()} loose leptons, at most {MOST_LOOSE} count."
        )
    order = np.lexsort((-pt, event))
    columns: dict[str, NDArray[Any]] = {_N_LOOSE: n_loose.astype(np.uint8)}
    last = order[np.flatnonzero(np.diff(event[order], append=n_events))]
    columns |= _written(n_events, event, (pt, np.abs(eta), flavour), last, _PROBE)
    columns[_PROBE_IS_LOOSE] = np.zeros(n_events, np.bool_)
    columns[_PROBE_IS_LOOSE][event[last]] = is_loose[last]
    loose = order[is_loose[order]]
    first = np.cumsum(n_loose) - n_loose
    place = np.arange(len(loose)) - first[event[loose]]
    for k in range(MOST_LOOSE):
        chosen = loose[place == k]
        columns |= _written(n_events, event, (pt, np.abs(eta), flavour), chosen, loose_columns(k))
    return columns


def loose_columns(place: int) -> tuple[str, str, str]:
    """Columns of pT, |η| and flavour of a loose lepton, counted from the hardest on."""
    return f"loose{place}_pt", f"loose{place}_abs_eta", f"loose{place}_flavour"


def _written(
    n_events: int,
    event: NDArray[np.integer],
    values: tuple[NDArray[Any], ...],
    chosen: NDArray[np.integer],
    names: tuple[str, str, str],
) -> dict[str, NDArray[Any]]:
    """Values of one lepton of each event, −1 where there is none."""
    found = {}
    for name, each, kind in zip(names, values, (np.float32, np.float32, np.int8), strict=True):
        found[name] = np.full(n_events, -1, kind)
        found[name][event[chosen]] = each[chosen]
    return found


def apart(found: Evaluation) -> dict[str, dict[str, Evaluated]]:
    """Events of tight leptons, and beside the nominal ones those with loose leptons, under `LOOSE`.

    Args:
        found: with the columns of `lepton_columns`.
    """
    return {channel: _apart(variations) for channel, variations in found.items()}


def _apart(variations: Mapping[str, Evaluated]) -> dict[str, Evaluated]:
    tight = {
        name: _some(one, one.columns[_N_LOOSE] == 0, without=_of_loose(one.columns))
        for name, one in variations.items()
    }
    nominal = variations[NOMINAL]
    return tight | {LOOSE: _some(nominal, nominal.columns[_N_LOOSE] > 0, without=())}


def _of_loose(columns: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns that say nothing of events without loose leptons."""
    own = {name for place in range(MOST_LOOSE) for name in loose_columns(place)}
    return tuple(name for name in columns if name in {*own, _N_LOOSE, _PROBE_IS_LOOSE})


def _some(one: Evaluated, rows: NDArray[np.bool_], *, without: tuple[str, ...]) -> Evaluated:
    weights = {name: values[rows] for name, values in one.weights.items()}
    return replace(
        one,
        cutflow=one.cutflow.then(TIGHT_ROW, weights["gen_weight"]),
        event=one.event[rows],
        weights=weights,
        columns={name: values[rows] for name, values in one.columns.items() if name not in without},
        drawn={name: tuple(each[rows] for each in values) for name, values in one.drawn.items()},
    )
