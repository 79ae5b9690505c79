"""From events to treated templates, through every region and process at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.stats.variation_toys import N_BINS, Shape, bump, flat, slope, toy, truth
from znought.errors import CardError, DataError
from znought.stats.envelopes import WeightSet
from znought.stats.paired import BinnedEvents
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import SelectedEvents
from znought.stats.templates import filled_up
from znought.stats.treatment import treated_templates
from znought.stats.workspace import WorkspaceConfig, build_workspace

EDGES = {"SR": np.linspace(0, 1, N_BINS + 1), "CR": np.array([0.0, 1.0])}
SYSTEMATICS = {"jes": SystematicConfig()}


def _events(rows: BinnedEvents, process: str, first: int, scale: float) -> SelectedEvents:
    """The toy's events: inside as signal region, outside as control region but for some in none."""
    inside = rows.bins >= 0
    outside = np.where(rows.identity % 4 == 0, "", "CR")
    return SelectedEvents(
        rows.identity + first,
        np.full(rows.bins.size, process),
        np.where(inside, "SR", outside),
        np.where(inside, (rows.bins + 0.5) / N_BINS, 0.5),
        rows.weights * scale,
    )


def _joined(parts: list[SelectedEvents]) -> SelectedEvents:
    return SelectedEvents(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    )


def _sample(
    n_signal: int = 300, shape: Shape = slope, n_top: int = 4000
) -> tuple[SelectedEvents, Callable[[str], SelectedEvents]]:
    signal, top = toy(shape, n_signal, seed=1), toy(bump, n_top, seed=2)
    nominal, up, down = (
        _joined([_events(one, "signal", 0, 50.0), _events(two, "top", 10**6, 1000.0)])
        for one, two in zip(signal, top, strict=True)
    )
    return nominal, lambda name: {"jes_up": up, "jes_down": down, "ps": up}[name]


def test_templates_are_treated_by_process_and_region() -> None:
    nominal, varied = _sample()
    found = treated_templates(nominal, varied, EDGES, processes=("signal", "top"), systematics=SYSTEMATICS)
    signal_region, control = found.regions
    up, down = signal_region.variation("jes_up"), signal_region.variation("jes_down")
    assert (up.sumw + down.sumw) / 2 == pytest.approx(signal_region.nominal.sumw)
    assert up.sumw[0] - signal_region.nominal.sumw[0] == pytest.approx(truth(slope, total=50.0), abs=0.2)
    records = {(record.process, record.region): record for record in found.records}
    assert set(records) == {(p, r) for p in ("signal", "top") for r in ("SR", "CR")}
    assert (records["signal", "SR"].shape.order or 0) >= 1
    # The narrow bump of a large sample stays, and is said.
    assert records["top", "SR"].shape.kept_raw
    assert any("jes on top in SR" in line and "bin by bin" in line for line in found.warnings)
    assert control.name == "CR"
    assert any("1 kept bin by bin (top in SR)" in line for line in found.remarks)


def test_an_unseen_change_of_yield_is_that_of_all_events() -> None:
    nominal, varied = _sample(100, flat)
    found = treated_templates(nominal, varied, EDGES, processes=("signal", "top"), systematics=SYSTEMATICS)
    for record, region in ((r, found.regions[r.region == "CR"]) for r in found.records):
        i = region.nominal.processes.index(record.process)
        change = region.variation("jes_up").sumw[i].sum() / region.nominal.sumw[i].sum() - 1
        if record.norm.source == "looser region":
            assert change == pytest.approx(record.norm.norm)
    assert any(record.norm.source == "looser region" for record in found.records)


def test_two_point_is_one_alternative_and_reaches_the_workspace() -> None:
    nominal, varied = _sample()
    systematics = {"ps": SystematicConfig(kind="two_point")}
    found = treated_templates(nominal, varied, EDGES, processes=("signal", "top"), systematics=systematics)
    regions = [filled_up(region)[0] for region in found.regions]
    spec = build_workspace(regions, WorkspaceConfig(signal=("signal",), systematics=systematics))
    assert "ps" in str(spec)


def test_without_smoothing_templates_are_those_of_the_events() -> None:
    nominal, varied = _sample()
    found = treated_templates(
        nominal,
        varied,
        EDGES,
        processes=("signal", "top"),
        systematics={"jes": SystematicConfig(smoothing="none")},
    )
    up = varied("jes_up")
    rows = (up.process == "signal") & (up.region == "SR")
    expected = np.histogram(up.discriminant[rows], EDGES["SR"], weights=up.weights[rows])[0]
    assert found.regions[0].variation("jes_up").sumw[0] == pytest.approx(expected)
    assert all(record.norm.source == "region" for record in found.records)


def test_theory_weights_become_an_envelope() -> None:
    nominal, _ = _sample()
    factors: dict[str, Any] = {"hard": 1.2, "soft": 0.9, "tilt": 1 + 0.1 * nominal.discriminant}

    def varied(name: str) -> SelectedEvents:
        return replace(nominal, weights=nominal.weights * factors[name])

    scale = SystematicConfig(kind="weights", weights=WeightSet("scale", ("hard", "soft")))
    pdf = SystematicConfig(kind="weights", weights=WeightSet("hessian", ("hard", "tilt"), central="soft"))
    found = treated_templates(
        nominal, varied, EDGES, processes=("signal", "top"), systematics={"scale": scale, "pdf": pdf}
    )
    region = found.regions[0]
    assert region.variation("scale_up").sumw == pytest.approx(1.2 * region.nominal.sumw)
    assert region.variation("scale_down").sumw == pytest.approx(0.9 * region.nominal.sumw)
    middle = (np.arange(N_BINS) + 0.5) / N_BINS
    expected = np.hypot(1.2 - 0.9, 1 + 0.1 * middle - 0.9) / 0.9
    assert region.variation("pdf_up").sumw[1] == pytest.approx((1 + expected) * region.nominal.sumw[1])
    with pytest.raises(CardError, match="need each other"):
        SystematicConfig(kind="weights")


def test_up_and_down_the_same_are_named() -> None:
    nominal, varied = _sample()
    found = treated_templates(
        nominal,
        lambda name: varied("jes_up"),
        EDGES,
        processes=("signal", "top"),
        systematics=SYSTEMATICS,
    )
    assert any("same way" in line for line in found.warnings)
    record = next(record for record in found.records if record.one_sided)
    assert record.to_dict()["one_sided"] is True
    assert record.to_dict()["warnings"] == list(record.warnings)


def test_the_order_of_rows_changes_nothing() -> None:
    nominal, varied = _sample()

    def shuffled(events: SelectedEvents) -> SelectedEvents:
        order = np.random.default_rng(1).permutation(events.weights.size)
        return SelectedEvents(*(values[order] for values in vars(events).values()))

    def templates(change: Callable[[SelectedEvents], SelectedEvents]) -> list[float]:
        found = treated_templates(
            change(nominal),
            lambda name: change(varied(name)),
            EDGES,
            processes=("signal", "top"),
            systematics=SYSTEMATICS,
        )
        return [float(x) for region in found.regions for x in region.variation("jes_up").sumw.ravel()]

    assert templates(shuffled) == pytest.approx(templates(lambda events: events), rel=1e-9)


def test_unknown_names_are_told() -> None:
    nominal, varied = _sample()
    with pytest.raises(DataError, match="Unknown process 'top'"):
        treated_templates(nominal, varied, EDGES, processes=("signal", "tops"), systematics={})
    with pytest.raises(DataError, match="Unknown region 'CR'"):
        treated_templates(nominal, varied, {"SR": EDGES["SR"]}, processes=("signal", "top"), systematics={})
    with pytest.raises(DataError, match="identity must hold one value per event"):
        SelectedEvents(np.arange(2), np.array(["a"]), np.array(["SR"]), np.zeros(1), np.ones(1))
