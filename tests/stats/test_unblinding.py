"""Steps see nothing of later ones, and disagree where the data do."""

from dataclasses import replace

import numpy as np
import pytest

from tests.stats.regions import config, regions
from znought.errors import CardError, DataError
from znought.stats.inference import fit_workspace
from znought.stats.prediction import all_bins, prior_parameters
from znought.stats.unblinding import UnblindingStep, opened_in_steps
from znought.stats.workspace import Spec, build_workspace

STEPS = (
    UnblindingStep("control", {"CR_top": True}),
    UnblindingStep("tails", {"SR": [True, False, False]}),
    UnblindingStep("signal", {"SR": [False, True, True]}, measures_signal=True),
)


def recorded(control: float = 2101.0, signal: tuple[float, ...] = (504.0, 159.0, 52.0)) -> Spec:
    signal_region, control_region = regions()
    return build_workspace(
        [
            replace(signal_region, observed=np.array(signal)),
            replace(control_region, observed=np.array([control])),
        ],
        config(),
    )


def test_steps_predict_what_they_have_not_seen() -> None:
    found = opened_in_steps(recorded(2270.0), STEPS)
    assert [step.name for step in found] == ["control", "tails", "signal"]
    assert [step.opened for step in found] == [{"CR_top": (0,)}, {"SR": (0,)}, {"SR": (1, 2)}]
    assert found[0].goodness is not None
    # Free top: the control region cannot disagree after its fit.
    assert found[0].goodness.value == pytest.approx(0.0, abs=1e-3)
    tails = next(region for region in found[1].predictions if region.region == "SR")
    assert tails.observed is not None
    assert np.isnan(tails.observed).tolist() == [False, True, True]
    assert tails.yields[tails.processes.index("top"), 0] == pytest.approx(300 * 2169 / 2000, rel=0.01)
    assert found[0].fit is None
    assert found[1].fit is None
    assert found[2].fit is not None
    assert found[2].fit.mu == pytest.approx(fit_workspace(recorded(2270.0), data="observed").mu, abs=1e-3)
    assert found[1].text.startswith("tails: bins opened in SR (1)")


def test_later_bins_do_not_reach_an_earlier_step() -> None:
    one = opened_in_steps(recorded(), STEPS)[1]
    other = opened_in_steps(recorded(signal=(504.0, 300.0, 200.0)), STEPS)[1]
    assert one.goodness == other.goodness
    assert one.agreement == other.agreement


def test_a_step_that_disagrees_shows_it() -> None:
    good, bad = (
        opened_in_steps(recorded(signal=(first, 159.0, 52.0)), STEPS[:2])[1].agreement
        for first in (500.0, 750.0)
    )
    assert good.p_value > 0.3
    assert bad.p_value < 0.01
    assert bad.n_dof == 1


def test_regions_are_compared_with_the_errors_that_they_share() -> None:
    spec = recorded()
    where, expected, covariance = all_bins(spec, prior_parameters(spec))
    assert (where["CR_top"], where["SR"]) == (slice(0, 1), slice(1, 4))
    assert expected == pytest.approx([2101, 504, 159, 52])
    # jes moves control region and first signal bin by (53 + 53)/2 and (23 + 23)/2, both upwards.
    shared = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    assert 0.3 < shared < 1
    both = UnblindingStep("both", {"SR": [True, False, False], "CR_top": True})
    raised, opposite = (
        opened_in_steps(recorded(2101 + 110, (504 + change, 159.0, 52.0)), [both])[0].agreement.value
        for change in (30.0, -30.0)
    )
    assert raised < 0.7 * opposite


def test_bad_input_is_one_clear_line() -> None:
    with pytest.raises(CardError, match="at least one step"):
        opened_in_steps(recorded(), ())
    with pytest.raises(CardError, match="opens bin 0 of 'SR', which is open already"):
        opened_in_steps(recorded(), (STEPS[1], UnblindingStep("all", {"SR": True})))
    with pytest.raises(DataError, match="Unknown channel 'CR'"):
        opened_in_steps(recorded(), (UnblindingStep("control", {"CR": True}),))
    with pytest.raises(DataError, match="opens 'SR', where the workspace holds Asimov data"):
        opened_in_steps(build_workspace(regions(), config()), (UnblindingStep("all", {"SR": True}),))


def test_validation_regions_are_looked_at_and_not_fitted() -> None:
    steps = (
        UnblindingStep("validation", {"CR_top": True}, is_fitted=False),
        UnblindingStep("tails", {"SR": [True, False, False]}),
    )
    first, tails = opened_in_steps(recorded(2270.0), steps)
    assert first.goodness is None
    assert "goodness" not in first.text
    alone = opened_in_steps(recorded(2270.0), steps[1:])[0]
    assert tails.agreement == alone.agreement
    assert tails.goodness == alone.goodness


def test_few_events_are_said_to_be_few() -> None:
    found = opened_in_steps(recorded(), STEPS)
    assert all("means little" not in step.text for step in found)
    assert found[2].fewest_expected == pytest.approx(38, rel=0.05)


def test_a_signal_that_nothing_was_open_before_is_not_predicted() -> None:
    (only,) = opened_in_steps(recorded(), [UnblindingStep("signal", {"SR": True}, measures_signal=True)])
    assert "SR (3), which nothing predicts; goodness" in only.text
    assert all(step.is_predicted for step in opened_in_steps(recorded(), STEPS))
