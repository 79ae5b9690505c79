"""Weighted robust scaling, with one documented treatment of undefined values.

A feature may be undefined for an event (the collinear ττ mass has no solution): the columns hold a
sentinel there. Sentinels take no part in the quantiles and are mapped to `UNDEFINED_SCALED`, in
training and in scoring alike, since both go through `RobustScaler.transform`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name

__all__ = ["LIMIT", "UNDEFINED_SCALED", "RobustScaler", "check_finite", "weighted_quantile"]

UNDEFINED_SCALED = -2.0
"""Scaled value of an undefined input: below every physical value of a positive, peaked quantity."""

LIMIT = 10.0
"""Scaled values are clipped to ±LIMIT interquartile ranges: a collinear mass has no upper end."""


def weighted_quantile(
    values: NDArray[Any], weights: NDArray[np.float64], probabilities: tuple[float, ...]
) -> tuple[float, ...]:
    """Quantiles of a weighted sample: the centre of an event's weight marks its place.

    Args:
        values: shape (n_events,).
        weights: not negative, shape (n_events,).
        probabilities: each in [0, 1].

    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.ones(3), (0.5,))
    (2.0,)
    """
    order = np.argsort(values)
    ordered = weights[order]
    places = np.cumsum(ordered) - 0.5 * ordered
    found = np.interp(np.asarray(probabilities) * ordered.sum(), places, values[order].astype(np.float64))
    return tuple(float(value) for value in found)


def check_finite(features: NDArray[np.float32], feature_names: tuple[str, ...]) -> None:
    """Refuse NaN and infinities, naming the feature.

    Raises:
        DataError: the shape does not fit the names, or a value is not finite.

    >>> check_finite(np.zeros((2, 1), np.float32), ("m_ll",))
    """
    if features.ndim != 2 or features.shape[1] != len(feature_names):
        raise DataError(
            f"features: expected shape (n_events, {len(feature_names)}). Received: {features.shape}."
        )
    for column, name in enumerate(feature_names):
        bad = int(np.count_nonzero(~np.isfinite(features[:, column])))
        if bad:
            raise DataError(
                f"Feature {name!r}: expected finite values. Received: NaN or infinity in {bad} of "
                f"{len(features)} events."
            )


@dataclass(frozen=True)
class RobustScaler:
    """(x − median) / interquartile range, learned on training events only.

    Attributes:
        feature_names: the inputs, in order.
        median, iqr: weighted, one per feature; iqr is the standard deviation where more than half
            of the events share one value.
        undefined: sentinel by feature name, where a feature has one.
    """

    feature_names: tuple[str, ...]
    median: tuple[float, ...]
    iqr: tuple[float, ...]
    undefined: dict[str, float]

    @classmethod
    def fit(
        cls,
        features: NDArray[np.float32],
        weights: NDArray[np.float64],
        feature_names: tuple[str, ...],
        undefined: Mapping[str, float],
    ) -> "RobustScaler":
        """Scaler learned from the training part of one fold.

        Args:
            features: shape (n_events, n_features).
            weights: not negative, shape (n_events,).
            feature_names: names of the columns.
            undefined: sentinel by feature name; names that are no input are ignored.

        Raises:
            DataError: a feature is constant or undefined in every event, naming it.
        """
        known = {name: value for name, value in undefined.items() if name in feature_names}
        medians, ranges = [], []
        for column, name in enumerate(feature_names):
            values = features[:, column]
            kept = np.ones(len(values), dtype=np.bool_)
            if name in known:
                kept = values != np.float32(known[name])
            median, spread = _centre_and_spread(values[kept], weights[kept], name)
            medians.append(median)
            ranges.append(spread)
        return cls(feature_names, tuple(medians), tuple(ranges), known)

    def transform(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scaled copy, shape (n_events, n_features), undefined values at `UNDEFINED_SCALED`."""
        scaled = features - np.asarray(self.median, dtype=np.float32)
        scaled *= np.float32(1.0) / np.asarray(self.iqr, dtype=np.float32)
        np.clip(scaled, -LIMIT, LIMIT, out=scaled)
        for name, sentinel in self.undefined.items():
            column = self.feature_names.index(name)
            scaled[features[:, column] == np.float32(sentinel), column] = UNDEFINED_SCALED
        return scaled

    def scale(self, features: NDArray[np.float32], feature_names: tuple[str, ...]) -> NDArray[np.float32]:
        """As `transform`, from columns of which this scaler may want only some.

        Raises:
            DataError: a feature is missing, naming it.
        """
        if feature_names == self.feature_names:
            return self.transform(features)
        for name in self.feature_names:
            if name not in feature_names:
                raise DataError(unknown_name("feature", name, feature_names))
        return self.transform(features[:, [feature_names.index(name) for name in self.feature_names]])

    def select(self, feature_names: tuple[str, ...]) -> "RobustScaler":
        """Scaler of some of the features."""
        columns = [self.feature_names.index(name) for name in feature_names]
        return RobustScaler(
            feature_names=feature_names,
            median=tuple(self.median[column] for column in columns),
            iqr=tuple(self.iqr[column] for column in columns),
            undefined={name: value for name, value in self.undefined.items() if name in feature_names},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "RobustScaler":
        """Inverse of `to_json`.

        >>> scaler = RobustScaler(("m_ll",), (50.0,), (20.0,), {})
        >>> RobustScaler.from_json(scaler.to_json()) == scaler
        True
        """
        return cls(
            feature_names=tuple(content["feature_names"]),
            median=tuple(content["median"]),
            iqr=tuple(content["iqr"]),
            undefined=dict(content["undefined"]),
        )


def _centre_and_spread(
    values: NDArray[np.float32], weights: NDArray[np.float64], name: str
) -> tuple[float, float]:
    if len(values) == 0:
        raise DataError(f"Feature {name!r}: undefined in every training event.")
    if values.min() == values.max():
        raise DataError(f"Feature {name!r}: constant ({values[0]:g}) in every training event.")
    if not weights.sum() > 0.0:
        raise DataError(f"Feature {name!r}: no weight where it is defined.")
    lower, median, upper = weighted_quantile(values, weights, (0.25, 0.5, 0.75))
    if upper > lower:
        return median, upper - lower
    return median, float(np.std(values.astype(np.float64)))
