"""From the scored events of one VH channel to what the SMEFT statistics need."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError
from znought.stats.eft.likelihood import Channel
from znought.stats.eft.morphing import check_validity, event_polynomials, monomials, morph

__all__ = [
    "COUNTING",
    "ChannelEvents",
    "Hypothesis",
    "MorphingConfig",
    "ScoredChannel",
    "doubling_edges",
    "hypothesis",
    "likelihood_channel",
]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

COUNTING: Final = "counting"
"""The discriminant of one bin."""
_STEP: Final = 0.01
_POINTS: Final = ((0.0, 0.0), (_STEP, 0.0), (-_STEP, 0.0), (0.0, _STEP), (0.0, -_STEP), (_STEP, _STEP))


@dataclass(frozen=True)
class MorphingConfig:
    """How stored weights become yields for any c̄; field names are the keys of the card."""

    process: str = "signal"
    """The process that the coefficients change."""
    coefficients: tuple[str, ...] = ("c_hw", "c_hb")
    """Names, in the order of each point; one name takes the first three points only."""
    points: tuple[tuple[float, float], ...] = _POINTS
    """(c̄_HW, c̄_HB) at which weights were stored, in the order of the columns."""
    validity: tuple[tuple[float, float], ...] = ((-0.1, 0.1), (-0.2, 0.2))
    """Range of each coefficient in which yields may be asked."""
    pt_v_max_gev: float | None = None
    """Above it c̄ is switched off in the simulation; None trusts all energies."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.coefficients) <= 2 or len(self.validity) < len(self.coefficients):
            raise CardError("morphing: expected one or two coefficients, each with a validity range.")

    @property
    def n_weights(self) -> int:
        """Weights per event that are needed."""
        return 3 if len(self.coefficients) == 1 else 6


@dataclass(frozen=True)
class ChannelEvents:
    """Events of one channel, VH and backgrounds together, after the region's cuts.

    All arrays have the first axis (n_events,).
    """

    name: str
    process: NDArray[np.str_]
    """Process of each event."""
    weight: Floats
    """Expected events per row in the standard model."""
    identity: NDArray[np.uint64]
    """Equal for the responses of one generated event, different between datasets."""
    polynomial: Floats
    """Event polynomials in the coefficients, shape (n_events, n_monomials); (1, 0, 0 …) outside VH."""
    morphing: MorphingConfig

    @classmethod
    def of(
        cls,
        name: str,
        process: ArrayLike,
        weight: ArrayLike,
        identity: ArrayLike,
        smeft_weights: ArrayLike,
        *,
        pt_v: ArrayLike,
        config: MorphingConfig,
    ) -> "ChannelEvents":
        """Events from columns; `smeft_weights` has the columns `smeft_0` … and is read for VH alone.

        Raises:
            DataError: no VH event, events without a finite weight, VH events without finite stored
                weights, shapes that do not match.
        """
        kind = np.asarray(process, dtype=np.str_)
        w = np.asarray(weight, dtype=np.float64)
        stored = np.asarray(smeft_weights, dtype=np.float64)
        is_vh = kind == config.process
        if not is_vh.any():
            raise DataError(f"Channel {name}: no event of process {config.process!r}.")
        if not kind.shape == w.shape == stored.shape[:1]:
            raise DataError(f"Channel {name}: shapes do not match: {kind.shape}, {w.shape}, {stored.shape}.")
        if not np.isfinite(w).all():
            bad = ~np.isfinite(w)
            lost = ", ".join(np.unique(kind[bad]).tolist())
            raise DataError(f"Channel {name}: {int(bad.sum())} events of {lost} have no finite weight.")
        k = len(config.coefficients)
        points = np.asarray(config.points, dtype=np.float64)[: config.n_weights, :k]
        mine = stored[is_vh, : config.n_weights]
        if not np.isfinite(mine).all():
            raise DataError(
                f"Channel {name}: {int((~np.isfinite(mine)).any(axis=1).sum())} VH events have no stored "
                "weights; simulate them with a recipe that writes SMEFT weights."
            )
        polynomial = np.zeros((len(w), monomials(np.zeros(k)).shape[-1]))
        polynomial[:, 0] = 1.0
        polynomial[is_vh] = event_polynomials(mine, points)
        events = cls(name, kind, w, np.asarray(identity, dtype=np.uint64), polynomial, config)
        return events if config.pt_v_max_gev is None else events.truncated(pt_v, config.pt_v_max_gev)

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def is_vh(self) -> Mask:
        """True for VH."""
        return np.asarray(self.process == self.morphing.process)

    def weight_at(self, point: ArrayLike) -> Floats:
        """Expected events per row with the coefficients at `point`, shape (n_events,).

        Raises:
            DataError: a point outside the validity of the morphing.
        """
        names = self.morphing.coefficients
        checked = check_validity(point, names, self.morphing.validity[: len(names)])
        return np.asarray(self.weight * (self.polynomial @ monomials(checked)))

    def sides(self, value: float, *, with_backgrounds: bool) -> tuple[Floats, Floats, Floats]:
        """Weights of VH at a value of the first coefficient, of it in the standard model, and of all else.

        Each of shape (n_events,), 0 where an event is not of its kind.

        Args:
            value: any other coefficient is zero.
            with_backgrounds: whether there is anything else.

        Raises:
            DataError: a value outside the validity of the morphing.
        """
        point = np.zeros(len(self.morphing.coefficients))
        point[0] = value
        vh = self.is_vh
        return (
            np.where(vh, self.weight_at(point), 0.0),
            np.where(vh, self.weight, 0.0),
            np.where(vh, 0.0, self.weight) * with_backgrounds,
        )

    def truncated(self, pt_v: ArrayLike, limit_gev: float) -> "ChannelEvents":
        """The same events with c̄ switched off at and above a pT(V).

        A limit then does not draw on energies where the expansion is not trusted; events stay where they
        are, as the standard model has them.
        """
        polynomial = self.polynomial.copy()
        polynomial[np.asarray(pt_v, dtype=np.float64) >= limit_gev, 1:] = 0.0
        return replace(self, polynomial=polynomial)

    def taken(self, rows: Mask) -> "ChannelEvents":
        """Some of the events, with their weights as they are."""
        chosen = {name: getattr(self, name)[rows] for name in ("process", "weight", "identity", "polynomial")}
        return replace(self, **chosen)


@dataclass(frozen=True)
class ScoredChannel:
    """One channel's events with the outputs of its models, all out of fold, larger is more signal-like."""

    events: ChannelEvents
    scores: Mapping[float, Floats]
    """Output of the classifier of each c̄_HW, shape (n_events,)."""
    discriminants: Mapping[str, Floats]
    """What limits are set with, by name: `classifier`, `pt_v`, `linear_score` …"""
    variations: Mapping[str, "ScoredChannel"] = field(default_factory=dict)
    """The same channel under variations of objects and weights, by name: `jes_up` …"""
    observed: Mapping[str, Floats] | None = None
    """Discriminant → its values of the recorded events; None while blinded."""

    def __post_init__(self) -> None:
        arrays: list[tuple[object, Floats]] = [*self.scores.items(), *self.discriminants.items()]
        for name, values in arrays:
            if values.shape != (len(self.events),) or not np.isfinite(values).all():
                raise DataError(
                    f"Channel {self.events.name}: expected finite scores for each event of {name}."
                )

    def values(self, discriminant: str) -> Floats:
        """One discriminant; `counting` is the same for all events."""
        return np.zeros(len(self.events)) if discriminant == COUNTING else self.discriminants[discriminant]

    def scaled(self, factor: float) -> "ScoredChannel":
        """The same events at a luminosity `factor` times as large; recorded ones stay as they are."""
        events = replace(self.events, weight=factor * self.events.weight)
        varied = {name: one.scaled(factor) for name, one in self.variations.items()}
        return replace(self, events=events, variations=varied)

    def counts(self, discriminant: str, edges: ArrayLike) -> Floats | None:
        """Recorded events per bin, those beyond the outer edges in the outer bins; None while blinded."""
        if self.observed is None:
            return None
        cuts = np.asarray(edges, np.float64)
        bins = np.searchsorted(cuts[1:-1], self.observed[discriminant], side="right")
        return np.bincount(bins, minlength=len(cuts) - 1).astype(np.float64)


@dataclass(frozen=True)
class Hypothesis:
    """Rows to train "c̄ ≠ 0 against the standard model": VH rows stand in both classes.

    Attributes:
        row: index of the event that each training row is, shape (n_rows,).
        is_signal: whether it stands for c̄ ≠ 0.
        weight: expected events, of c̄ ≠ 0 for signal and of the standard model for the rest.
    """

    row: NDArray[np.int64]
    is_signal: Mask
    weight: Floats


def hypothesis(events: ChannelEvents, point: ArrayLike, *, with_backgrounds: bool = True) -> Hypothesis:
    """Training rows of one coefficient value.

    The optimal classifier depends on the ratio of the two densities alone, which both signal
    definitions share. Folds by identity keep the two copies of an event together.

    Args:
        events: one channel.
        point: coefficients of the signal.
        with_backgrounds: whether V + heavy flavour and tt̄ stand in the background class.
    """
    vh = np.flatnonzero(events.is_vh)
    rest = np.arange(len(events)) if with_backgrounds else vh
    row = np.concatenate([vh, rest])
    is_signal = np.arange(len(row)) < len(vh)
    weight = np.concatenate([events.weight_at(point)[vh], events.weight[rest]])
    return Hypothesis(row, is_signal, weight)


def doubling_edges(
    events: ChannelEvents,
    discriminant: ArrayLike,
    *,
    first_yield: float = 3.0,
    growth: float = 2.0,
    min_effective: float = 10.0,
    n_bins_max: int = 12,
) -> Floats:
    """Edges from the top of a discriminant downwards, each bin `growth` times as populated as the last.

    The first bin holds at least `first_yield` expected standard-model events, and every bin at least
    `min_effective` effective background entries, so that no bin rests on a few simulated events.

    Args:
        events: one channel; use a part that is not evaluated afterwards.
        discriminant: larger is more signal-like, shape (n_events,).
        first_yield: expected events in the highest bin.
        growth: ratio of neighbouring bins.
        min_effective: least (Σw)²/Σ_events(Σw)² in a bin.
        n_bins_max: most bins.

    Returns:
        Increasing edges; the outermost are −∞ and +∞.

    Raises:
        DataError: the channel as a whole does not hold `first_yield` events.
    """
    x = np.asarray(discriminant, dtype=np.float64)
    order = np.argsort(-x, kind="stable")
    w, identity, x = events.weight[order], events.identity[order], x[order]
    if w.sum() < first_yield:
        raise DataError(f"Channel {events.name}: {w.sum():.3g} expected events, fewer than {first_yield:g}.")
    edges: list[float] = []
    start, wanted = 0, first_yield
    while start < len(w) and len(edges) < n_bins_max - 1:
        stop = _bin_end(w[start:], identity[start:], wanted, min_effective) + start
        left = w[stop:].sum()
        if stop >= len(w) or left < wanted:
            break
        edges.append(0.5 * (x[stop - 1] + x[stop]))
        wanted = max(growth * w[start:stop].sum(), wanted)
        start = stop
    return np.array([-np.inf, *edges[::-1], np.inf])


def _bin_end(weight: Floats, identity: NDArray[np.uint64], wanted: float, min_effective: float) -> int:
    """How many leading rows make a bin; all of them if they do not suffice."""
    total = np.cumsum(weight)
    stop = int(np.searchsorted(total, wanted)) + 1
    while stop < len(weight):
        _, inverse = np.unique(identity[:stop], return_inverse=True)
        sumw2 = float((np.bincount(inverse, weight[:stop]) ** 2).sum())
        if total[stop - 1] ** 2 >= min_effective * sumw2:
            return stop
        stop = int(1.25 * stop) + 1
    return len(weight)


def likelihood_channel(events: ChannelEvents, discriminant: ArrayLike, edges: ArrayLike) -> Channel:
    """The channel as the likelihood sees it: VH templates and background yields per bin.

    Raises:
        DataError: a bin without expected events.
    """
    cuts = np.asarray(edges, dtype=np.float64)
    n_bins = len(cuts) - 1
    bins = np.searchsorted(cuts, np.asarray(discriminant, dtype=np.float64), side="right") - 1
    vh = events.is_vh
    names = events.morphing.coefficients
    morphing = morph(
        events.polynomial[vh],
        events.weight[vh],
        bins[vh],
        n_bins,
        names=names,
        validity=events.morphing.validity[: len(names)],
        identity=events.identity[vh],
    )
    backgrounds = {
        str(process): np.bincount(bins[mine], events.weight[mine], minlength=n_bins).astype(np.float64)
        for process in np.unique(events.process[~vh])
        if (mine := events.process == process).any()
    }
    sumw2 = _sumw2(events.taken(~vh), bins[~vh], n_bins)
    return Channel(events.name, morphing, backgrounds, sumw2, events.morphing.process)


def _sumw2(events: ChannelEvents, bins: NDArray[np.intp], n_bins: int) -> Floats:
    """Σ over generated events of the squared sum of their rows, per bin."""
    if not len(events):
        return np.zeros(n_bins)
    pairs = np.stack([bins.astype(np.uint64), events.identity])
    groups, inverse = np.unique(pairs, axis=1, return_inverse=True)
    summed = np.bincount(inverse.ravel(), events.weight)
    return np.bincount(groups[0].astype(np.int64), summed**2, minlength=n_bins).astype(np.float64)
