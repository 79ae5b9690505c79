"""Numbers that do not come out again are caught at the sizes that were seen in practice."""

import copy
from typing import Any

import numpy as np
import pytest

from tests.stats.regions import config, regions
from tests.stats.toys import toy
from znought.stats.crossfit import cross_fitted
from znought.stats.referee.record import Check
from znought.stats.referee.repetition import (
    errors_again,
    scalers_again,
    scores_again,
    significance_again,
    templates_again,
    training_again,
)
from znought.stats.workspace import build_workspace
from znought.stats.yields import count_yields

RANDOM = np.random.default_rng(1)
SCORES = RANDOM.random((500, 3))
NETWORKS = RANDOM.random((5, 500, 3))


def test_scores_of_their_own_folds_pass_with_the_rounding_of_another_machine() -> None:
    kinds = {"training": (SCORES, SCORES), "data": (SCORES, SCORES + 2e-6)}
    assert scores_again(kinds).verdict == "pass"


def test_the_mean_of_all_networks_for_data_fails() -> None:
    own = NETWORKS[np.arange(500) % 5, np.arange(500)]
    found = scores_again({"training": (own, own), "data": (NETWORKS.mean(axis=0), own)})
    assert found.verdict == "fail"
    assert "(data)" in found.measured


def test_a_leak_that_moves_scores_by_two_thousandths_fails() -> None:
    assert scores_again({"training": (SCORES + 0.002, SCORES)}).verdict == "fail"


def _scalers(values: np.ndarray) -> np.ndarray:
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    return np.array([median, high - low])


def test_a_scaler_that_has_seen_the_validation_events_fails() -> None:
    events = RANDOM.normal(size=(5000, 4)).astype(np.float32)
    folds = np.arange(5000) % 5
    honest = {f"fold_{k}": _scalers(events[folds != k]) for k in range(5)}
    assert scalers_again(honest, honest).verdict == "pass"
    leaking = scalers_again(honest | {"fold_3": _scalers(events)}, honest)
    assert leaking.verdict == "fail"
    assert "fold_3" in leaking.measured
    assert leaking.value is not None
    assert 1e-4 < leaking.value < 0.05


def test_scalers_of_other_inputs_fail() -> None:
    one = {"fold_0": np.ones((2, 3))}
    assert scalers_again(one, {"fold_0": np.ones((2, 4))}).verdict == "fail"


def test_other_training_data_fail() -> None:
    assert training_again({"repeat 0": "a", "repeat 1": "b"}, {"repeat 0": "a", "repeat 1": "b"}).value == 0.0
    found = training_again({"repeat 0": "a", "repeat 1": "b"}, {"repeat 0": "a", "repeat 1": "c"})
    assert (found.verdict, found.measured) == ("fail", "1 of 2 differ (repeat 1)")


def test_errors_that_count_responses_fail() -> None:
    sample = toy(2000, 3, responses=4)
    names = np.where(sample.is_signal, "VH", "top")
    edges = np.linspace(0, 1, 6)
    columns = (sample.scores, sample.weights, names, edges)
    events, rows = count_yields(*columns, identity=sample.identity), count_yields(*columns)
    again = {name: events.errors[i] for i, name in enumerate(events.processes)}
    assert errors_again(again, again).verdict == "pass"
    found = errors_again({name: rows.errors[i] for i, name in enumerate(rows.processes)}, again)
    assert found.verdict == "fail"
    assert found.value == pytest.approx(0.5, abs=0.05)


def _changed(change: str) -> Check:
    spec: Any = build_workspace(regions(), config())
    written = copy.deepcopy(spec)
    sample = written["channels"][0]["samples"][1]
    if change == "doubled":
        sample["data"] = [2 * value for value in sample["data"]]
    if change == "missing":
        sample["modifiers"] = [one for one in sample["modifiers"] if one["name"] != "jes"]
    if change == "swapped":
        for one in sample["modifiers"]:
            if one["type"] == "normsys" and one["name"] == "jes":
                one["data"] = {"lo": one["data"]["hi"], "hi": one["data"]["lo"]}
    if change == "no region":
        written["channels"].pop()
    return templates_again(written, spec)


@pytest.mark.parametrize("change", ["doubled", "missing", "swapped", "no region"])
def test_another_likelihood_than_that_of_the_events_fails(change: str) -> None:
    assert _changed("").verdict == "pass"
    assert _changed(change).verdict == "fail"


def test_a_number_tuned_and_quoted_on_the_same_events_fails() -> None:
    sample = toy(2000, 5)
    columns = (sample.scores, sample.weights, sample.is_signal, sample.identity)
    found = cross_fitted(*columns, n_bootstrap=20)
    honest, planted = (
        significance_again(
            quoted=quoted, again=found.held_out, tuned=found.tuned, error=0.1, selection="network"
        )
        for quoted in (found.held_out, found.tuned)
    )
    assert honest.verdict == "pass"
    assert planted.verdict == "fail"
    assert planted.value == pytest.approx(found.optimism)
    assert found.optimism > 0.02
