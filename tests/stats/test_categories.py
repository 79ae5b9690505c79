"""Several signals, argmax categories and strips."""

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.stats.binning import BinningConfig, optimal
from znought.stats.categories import argmax_categories, strips
from znought.stats.rules import PLAIN, Constraints


def three_classes(
    n: int, seed: int
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.float64], NDArray[np.str_]]:
    """Softmax-like scores of VH, VBF and top; each process prefers its own."""
    rng = np.random.default_rng(seed)
    names = np.array(["VH", "VBF", "top"])
    process = rng.choice(names, n)
    logits = rng.normal(size=(n, 3)) + 2.0 * (process[:, None] == names)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    weights = np.select([process == "VH", process == "VBF"], [60.0 / n, 90.0 / n], 9000.0 / n)
    return {str(name): scores[:, i] for i, name in enumerate(names)}, weights, process


def test_argmax_bins_each_signal_against_everything_else() -> None:
    scores, weights, process = three_classes(6000, 1)
    result = argmax_categories(scores, weights, process, signals=("VH", "VBF"))
    chosen = np.argmax(np.stack(list(scores.values())), axis=0)
    rows = (chosen == 0) & (process != "VH")
    assert result.binnings["VH"].background.sum() == pytest.approx(weights[rows].sum())
    assert set(result.z) == {"VH", "VBF"}
    assert result.z_combined == pytest.approx(np.hypot(result.z["VH"], result.z["VBF"]))
    with pytest.raises(CardError, match="Unknown signal 'VHH', did you mean 'VH'"):
        argmax_categories(scores, weights, process, signals=("VHH",))


def test_strips_are_never_worse_than_one_strip() -> None:
    scores, weights, process = three_classes(6000, 2)
    is_signal = process == "VH"
    config = BinningConfig(lower=0.0, n_candidates=100)
    one = strips(scores["VH"], scores["top"], weights, is_signal, n_boundaries=0, config=config)
    several = strips(scores["VH"], scores["top"], weights, is_signal, n_boundaries=4, config=config)
    assert one.boundaries.size == 2
    assert several.z_total >= one.z_total
    direct = optimal(
        scores["VH"], weights, is_signal, lower=0.0, n_candidates=100, constraints=config.constraints
    )
    assert one.z_total == pytest.approx(direct.z_total)
    with pytest.raises(DataError, match="second must be finite"):
        strips(scores["VH"], scores["top"][1:], weights, is_signal)


def test_bounds_per_process_hold_in_every_bin() -> None:
    scores, weights, process = three_classes(3000, 3)
    is_signal = process == "VH"
    rules = Constraints(
        **{**vars(PLAIN), "min_yield_per_process": {"VBF": 5.0}, "min_effective_per_process": {"top": 30.0}}
    )
    result = optimal(scores["VH"], weights, is_signal, lower=0.0, constraints=rules, process=process)
    free = optimal(scores["VH"], weights, is_signal, lower=0.0)
    assert not result.weak.any()
    assert result.z_total < free.z_total
    for name, bound, content in (("VBF", 5.0, weights), ("top", 30.0, np.ones(weights.size))):
        rows = process == name
        filled, _ = np.histogram(scores["VH"][rows], result.edges, weights=content[rows])
        assert filled.min() >= bound
    with pytest.raises(DataError, match="need the process"):
        optimal(scores["VH"], weights, is_signal, constraints=rules)
    with pytest.raises(DataError, match="Unknown process 'VBF'"):
        optimal(scores["VH"], weights, is_signal, constraints=rules, process=np.full(process.size, "top"))
