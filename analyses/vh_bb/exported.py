"""The files of the public notebooks of arXiv:1902.05803, made from our columns.

One text table per hypothesis (white-space separated, the channel's inputs and `signal`), and, per coefficient
value, `X_train_<channel>_cHW_<value>.npz` and `X_test_…` with arrays `x` (min-max scaled) and `y`. The
notebooks know no event weights: events are drawn with a probability proportional to theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.analyses.vh_bb.features import FEATURES
from znought.errors import DataError, unknown_name

__all__ = ["Drawn", "coefficient_tag", "draw_unweighted", "write_npz", "write_table"]

Floats = NDArray[np.float64]


def coefficient_tag(value: float) -> str:
    """The notebooks' spelling of a coefficient.

    >>> coefficient_tag(0.03), coefficient_tag(1.0), coefficient_tag(-0.01)
    ('cHW_0d03', 'cHW_1', 'cHW_m0d01')
    """
    return "cHW_" + f"{value:g}".replace("-", "m").replace(".", "d")


@dataclass(frozen=True)
class Drawn:
    """Rows drawn from weighted events.

    Attributes:
        rows: indices of the drawn events, some of them repeated, shape (n_drawn,).
        n_distinct: different events among them.
    """

    rows: NDArray[np.int64]
    n_distinct: int


def draw_unweighted(weights: ArrayLike, n: int, *, seed: int) -> Drawn:
    """Systematic resampling: event i appears n w_i / Σw times, rounded up or down at random.

    Raises:
        DataError: a negative or non-finite weight, or none above zero.

    >>> draw_unweighted([1.0, 3.0], 4, seed=1).rows.tolist()
    [0, 1, 1, 1]
    """
    w = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(w).all() and (w >= 0.0).all() and w.sum() > 0.0):
        raise DataError("Expected finite weights ≥ 0 with a positive sum to draw unweighted events from.")
    offset = np.random.default_rng(seed).random()
    rows = np.searchsorted(np.cumsum(w) / w.sum(), (np.arange(n) + offset) / n, side="right")
    rows = np.minimum(rows, len(w) - 1)
    return Drawn(rows, len(np.unique(rows)))


def _matrix(columns: Mapping[str, NDArray[Any]], channel: str) -> Floats:
    if channel not in FEATURES:
        raise DataError(unknown_name("channel", channel, FEATURES))
    missing = [name for name in FEATURES[channel] if name not in columns]
    if missing:
        raise DataError(unknown_name("column", missing[0], columns))
    return np.column_stack([np.asarray(columns[name], np.float64) for name in FEATURES[channel]])


def write_table(path: Path, columns: Mapping[str, NDArray[Any]], *, channel: str, signal: bool) -> None:
    """One hypothesis as the notebooks' text table: header of names, then one event a line."""
    x = _matrix(columns, channel)
    table = np.column_stack([x, np.full(len(x), float(signal))])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, table, fmt="%.6g", header=" ".join([*FEATURES[channel], "signal"]), comments="")


def write_npz(
    directory: Path,
    signal: Mapping[str, NDArray[Any]],
    background: Mapping[str, NDArray[Any]],
    is_test: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    *,
    channel: str,
    coefficient: float,
) -> tuple[Path, Path]:
    """Training and test arrays of one coefficient value; returns the two paths.

    Unlike in the notebooks, the range of the min-max scaling is that of the training part alone.

    Args:
        directory: where the files go.
        signal, background: columns of drawn events, with c̄ and without.
        is_test: test part of each, by event identity.
        channel: 0L, 1L or 2L.
        coefficient: c̄_HW of the signal.
    """
    x = np.concatenate([_matrix(signal, channel), _matrix(background, channel)])
    y = np.concatenate([np.ones(len(is_test[0])), np.zeros(len(is_test[1]))])
    test = np.concatenate(is_test)
    if test.all() or not test.any():
        raise DataError("Expected events in both the training and the test part.")
    low, high = x[~test].min(axis=0), x[~test].max(axis=0)
    scaled = (x - low) / np.where(high > low, high - low, 1.0)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for part, chosen in (("train", ~test), ("test", test)):
        path = directory / f"X_{part}_{channel}_{coefficient_tag(coefficient)}.npz"
        np.savez(path, x=scaled[chosen], y=y[chosen])
        paths.append(path)
    return paths[0], paths[1]
