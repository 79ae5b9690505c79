"""Losses that are significances: what a batch says about the whole sample, counted with event weights.

A batch estimates the selected yields s = S·Σ(w·p·y)/Σ(w·y) and b = B·Σ(w·p·(1−y))/Σ(w·(1−y)), where
p is the score of the signal class, S and B are the expected events before any cut. Everything inside
is float64: near s ≪ b the two terms of Z_A² agree to many digits.

References:
    Elwood, Krücker, arXiv:1806.00322; Freitas, Khosa, Sanz, arXiv:1902.05803;
    Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727.
"""

from abc import abstractmethod
from typing import Any

import keras
from keras import ops

from znought.errors import CardError

__all__ = ["AsimovLoss", "SignificanceLoss", "asimov_z_squared", "selected_yields"]

_FEWEST_EVENTS = 1e-6
"""Floor on s in 1/Z_A²: a batch that selects no signal has a large loss, not an infinite one."""


def selected_yields(
    y_true: Any, signal_score: Any, weights: Any, *, signal_events: float, background_events: float
) -> tuple[Any, Any]:
    """Expected selected signal and background events, float64 scalars.

    A batch without any signal (or background) weight estimates zero for it.

    Args:
        y_true: 1 for signal, 0 for background, shape (batch,).
        signal_score: p in [0, 1], shape (batch,).
        weights: not negative, shape (batch,).
        signal_events, background_events: expected events before any cut on the score.
    """
    yields = []
    for target, events in ((y_true, signal_events), (1.0 - y_true, background_events)):
        total = ops.sum(weights * target)
        chosen = ops.sum(weights * target * signal_score)
        yields.append(events * chosen / ops.where(total > 0.0, total, 1.0))
    return yields[0], yields[1]


def asimov_z_squared(signal: Any, background: Any, sigma: Any) -> Any:
    """Z_A² with a Poisson auxiliary measurement of the background.

    2 [ (s+b) ln((s+b)(b+σ²)/(b²+(s+b)σ²)) − (b²/σ²) ln(1+σ²s/(b(b+σ²))) ]; the first logarithm is
    that of 1 + s·b/(b²+(s+b)σ²), which keeps its digits at s ≪ b.

    >>> z = asimov_z_squared(*(ops.convert_to_tensor(x, "float64") for x in (10.0, 100.0, 10.0)))
    >>> round(float(z) ** 0.5, 6)
    0.690196
    """
    variance = sigma * sigma
    total = signal + background
    first = total * ops.log1p(signal * background / (background * background + total * variance))
    second = ops.log1p(variance * signal / (background * (background + variance)))
    return 2.0 * (first - background * background / variance * second)


class _YieldLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras has no types
    """A loss of the whole batch; `sample_weight` are event weights, not factors on a per-event loss."""

    def __init__(
        self, *, signal_events: float, background_events: float, signal_index: int, name: str
    ) -> None:
        super().__init__(name=name, reduction="sum")
        if not (signal_events > 0.0 and background_events > 0.0):
            raise CardError(
                f"{name}: expected positive yields. Received: {signal_events}, {background_events}."
            )
        self.signal_events = signal_events
        self.background_events = background_events
        self.signal_index = signal_index

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        scores = ops.convert_to_tensor(y_pred)
        signal_score = ops.cast(self._signal_column(scores), "float64")
        target = ops.cast(self._signal_column(ops.convert_to_tensor(y_true)), "float64")
        weights = ops.ones_like(target)
        if sample_weight is not None:
            weights = ops.cast(ops.reshape(ops.convert_to_tensor(sample_weight), (-1,)), "float64")
        signal, background = selected_yields(
            target,
            signal_score,
            weights,
            signal_events=self.signal_events,
            background_events=self.background_events,
        )
        return ops.cast(self.of_yields(signal, background), scores.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self(y_true, y_pred)

    @abstractmethod
    def of_yields(self, signal: Any, background: Any) -> Any:
        """The loss of selected yields, float64."""

    def get_config(self) -> dict[str, Any]:
        return {
            "signal_events": self.signal_events,
            "background_events": self.background_events,
            "signal_index": self.signal_index,
            "name": self.name,
        }

    def _signal_column(self, values: Any) -> Any:
        """Column of the signal class, or the only column of a sigmoid network."""
        if len(values.shape) == 2 and values.shape[1] > 1:
            return values[:, self.signal_index]
        return ops.reshape(values, (-1,))


@keras.saving.register_keras_serializable(package="znought")
class SignificanceLoss(_YieldLoss):
    """−s²/(s+b): smooth everywhere, for the first epochs.

    Args:
        signal_events, background_events: expected events before any cut on the score.
        signal_index: column of the signal class; without meaning for a single sigmoid output.
    """

    def __init__(
        self,
        *,
        signal_events: float,
        background_events: float,
        signal_index: int = 0,
        name: str = "significance_loss",
    ) -> None:
        super().__init__(
            signal_events=signal_events,
            background_events=background_events,
            signal_index=signal_index,
            name=name,
        )

    def of_yields(self, signal: Any, background: Any) -> Any:
        total = signal + background
        return -signal * signal / ops.where(total > 0.0, total, 1.0)


@keras.saving.register_keras_serializable(package="znought")
class AsimovLoss(_YieldLoss):
    """1/Z_A² with σ = `relative_uncertainty`·b.

    Args:
        signal_events, background_events: expected events before any cut on the score.
        relative_uncertainty: of the background.
        minimum_background: b is not believed below this many events.
        signal_index: column of the signal class; without meaning for a single sigmoid output.
    """

    def __init__(
        self,
        *,
        signal_events: float,
        background_events: float,
        relative_uncertainty: float = 0.5,
        minimum_background: float = 1.0,
        signal_index: int = 0,
        name: str = "asimov_loss",
    ) -> None:
        super().__init__(
            signal_events=signal_events,
            background_events=background_events,
            signal_index=signal_index,
            name=name,
        )
        if not (relative_uncertainty > 0.0 and minimum_background > 0.0):
            raise CardError(
                f"{name}: expected a positive uncertainty and minimum background. "
                f"Received: {relative_uncertainty}, {minimum_background}."
            )
        self.relative_uncertainty = relative_uncertainty
        self.minimum_background = minimum_background

    def of_yields(self, signal: Any, background: Any) -> Any:
        believed = ops.maximum(background, self.minimum_background)
        found = ops.maximum(signal, _FEWEST_EVENTS)
        return 1.0 / asimov_z_squared(found, believed, self.relative_uncertainty * believed)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "relative_uncertainty": self.relative_uncertainty,
            "minimum_background": self.minimum_background,
        }
