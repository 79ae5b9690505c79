"""Sign-flip replicas tell constraints that noise gives from those that a sample has earned."""

import numpy as np
import pytest

from tests.stats.variation_toys import N_BINS, Shape, flat, slope, toy
from znought.errors import CardError
from znought.stats.paired import BinnedEvents
from znought.stats.replicas import (
    constraint_verdicts,
    constraints,
    flip_signs,
    flipped_templates,
    replica_constraints,
)
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import PairedTables, SelectedEvents, differences_of, paired_tables
from znought.stats.treatment import treated_templates
from znought.stats.workspace import WorkspaceConfig, build_workspace

EDGES = {"SR": np.linspace(0, 1, N_BINS + 1)}
PROCESSES = ("signal", "top")


def _selected(rows: BinnedEvents, process: str, scale: float) -> SelectedEvents:
    inside = rows.bins >= 0
    return SelectedEvents(
        rows.identity + (10**6 if process == "top" else 0),
        np.full(rows.bins.size, process),
        np.where(inside, "SR", ""),
        np.where(inside, (rows.bins + 0.5) / N_BINS, 0.5),
        rows.weights * scale,
    )


def _sample(shape: Shape, n_events: int) -> list[SelectedEvents]:
    """Nominal, up and down: a small signal that does not vary, and a large background that may."""
    signal = _selected(toy(flat, 2000, 7)[0], "signal", 30.0)
    parts = []
    for rows in toy(shape, n_events, 8):
        top = _selected(rows, "top", 20000.0)
        values = (np.concatenate([getattr(one, name) for one in (signal, top)]) for name in vars(top))
        parts.append(SelectedEvents(*values))
    return parts


def measured_constraints(
    shape: Shape, n_events: int, config: SystematicConfig
) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Constraint of jes and those of 12 replicas, without MC statistics."""
    nominal, up, down = _sample(shape, n_events)
    settings = WorkspaceConfig(
        signal=("signal",), luminosity_rel=0.02, systematics={"jes": config}, mc_stat=False
    )
    treated = treated_templates(
        nominal,
        lambda name: {"jes_up": up, "jes_down": down}[name],
        EDGES,
        processes=PROCESSES,
        systematics=settings.systematics,
    )
    tables = {"jes": paired_tables(nominal, [up, down], EDGES, processes=PROCESSES)}
    found = constraints(build_workspace(treated.regions, settings), ["jes"])
    return found, replica_constraints(treated.regions, tables, settings, n_replicas=12)


def test_noise_that_constrains_fails() -> None:
    found, replicas = measured_constraints(flat, 600, SystematicConfig(smoothing="none"))
    assert found["jes"] < 0.6
    assert np.median(replicas["jes"]) < 0.6
    (verdict,) = constraint_verdicts(found, {"jes": replicas["jes"]})
    assert verdict.verdict == "fails"
    assert verdict.p_value > 0.05
    assert verdict.to_dict()["parameter"] == "jes"


def test_smoothing_removes_what_noise_constrained() -> None:
    found, replicas = measured_constraints(flat, 600, SystematicConfig())
    raw, _ = measured_constraints(flat, 600, SystematicConfig(smoothing="none"))
    assert found.get("jes", 1.0) > raw["jes"] + 0.2
    assert np.median(replicas.get("jes", (1.0,))) > 0.8


def test_a_large_sample_constrains_rightly() -> None:
    found, replicas = measured_constraints(slope, 40000, SystematicConfig())
    assert found["jes"] < 0.5
    (verdict,) = constraint_verdicts(found, {"jes": replicas.get("jes", (1.0,) * 12)})
    assert verdict.verdict == "holds"
    assert verdict.p_value == pytest.approx(1 / 13)


def test_flips_are_fair_and_of_the_event() -> None:
    identity = np.arange(20000)
    signs = flip_signs(identity, 3)
    assert abs(signs.mean()) < 5 / np.sqrt(20000)
    assert np.array_equal(flip_signs(identity[::-1], 3), signs[::-1])
    assert abs(np.mean(signs * flip_signs(identity, 4))) < 5 / np.sqrt(20000)


def test_replicas_keep_the_nominal_and_the_size_of_the_noise() -> None:
    nominal, up, down = _sample(flat, 4000)
    systematics = {"jes": SystematicConfig(smoothing="none")}
    treated = treated_templates(
        nominal,
        lambda name: {"jes_up": up, "jes_down": down}[name],
        EDGES,
        processes=PROCESSES,
        systematics=systematics,
    )
    tables: dict[str, PairedTables] = {"jes": paired_tables(nominal, [up, down], EDGES, processes=PROCESSES)}
    noise = []
    for replica in range(50):
        (region,) = flipped_templates(treated.regions, tables, systematics, replica)
        assert np.array_equal(region.nominal.sumw, treated.regions[0].nominal.sumw)
        noise.append(region.variation("jes_up").sumw[1] - region.nominal.sumw[1])
    expected = np.diagonal(differences_of(tables["jes"])["SR", "top"].covariance)
    assert np.mean(np.square(noise)) == pytest.approx(np.mean(expected), rel=0.1)
    with pytest.raises(CardError, match="n_replicas"):
        replica_constraints(treated.regions, tables, WorkspaceConfig(("signal",)), n_replicas=0)


@pytest.mark.parametrize(
    ("measured", "replicas", "verdict"),
    [
        (0.97, [0.5] * 20, "holds"),
        (0.16, [0.99] * 20, "holds"),
        (0.3, [0.6] * 20, "weak"),
        (0.55, [0.46, 0.61] * 10, "fails"),
    ],
)
def test_verdicts(measured: float, replicas: list[float], verdict: str) -> None:
    assert constraint_verdicts({"jes": measured}, {"jes": replicas})[0].verdict == verdict
