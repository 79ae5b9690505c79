"""Jet resolution: the hybrid method against CMS's own file, and what up and down do."""

from pathlib import Path

import correctionlib
import numpy as np
import pytest

from znought.errors import DataError
from znought.processors.resolution import smearing_factors, worsened


def _jets(n: int = 20000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """pT, particle-level pT, σ and ξ of jets whose resolution is σ."""
    rng = np.random.default_rng(6)
    generated = rng.uniform(30, 200, n)
    resolution = np.full(n, 0.12)
    return (
        generated * (1 + resolution * rng.standard_normal(n)),
        generated,
        resolution,
        rng.standard_normal(n),
    )


def test_matched_jets_are_those_of_the_official_file(open_data: Path) -> None:
    pt, generated, resolution, noise = _jets(500)
    official = correctionlib.CorrectionSet.from_file(str(open_data / "pog/jer_smear.json.gz"))["JERSmear"]
    event, scale_factor = np.arange(500), np.full(500, 1.15)
    expected = official.evaluate(
        pt, np.zeros(500), generated, np.full(500, 20.0), event, resolution, scale_factor
    )
    found = smearing_factors(pt, generated, resolution=resolution, scale_factor=scale_factor, noise=noise)
    assert found == pytest.approx(np.asarray(expected), rel=1e-6)


@pytest.mark.parametrize("matched", [True, False])
def test_resolution_of_data_is_reached(matched: bool) -> None:
    pt, generated, resolution, noise = _jets()
    partner = generated if matched else np.full(pt.size, -1.0)
    factors = smearing_factors(
        pt, partner, resolution=resolution, scale_factor=np.full(pt.size, 1.3), noise=noise
    )
    assert np.std(factors * pt / generated) == pytest.approx(1.3 * 0.12, rel=0.03)


@pytest.mark.parametrize("matched", [True, False])
def test_up_and_down_move_each_jet_to_opposite_sides(matched: bool) -> None:
    pt, generated, resolution, noise = _jets()
    partner = generated if matched else np.full(pt.size, -1.0)
    down, nominal, up = (
        smearing_factors(pt, partner, resolution=resolution, scale_factor=np.full(pt.size, s), noise=noise)
        for s in (1.1, 1.15, 1.2)
    )
    assert np.all((up - nominal) * (nominal - down) >= 0)
    widths = [np.std(factors * pt / generated) for factors in (down, nominal, up)]
    assert widths[0] < widths[1] < widths[2]


def test_a_scale_factor_below_one_smears_no_unmatched_jet() -> None:
    pt, _, resolution, noise = _jets(100)
    found = smearing_factors(
        pt, np.full(100, -1.0), resolution=resolution, scale_factor=np.full(100, 0.9), noise=noise
    )
    assert np.array_equal(found, np.ones(100))
    with pytest.raises(DataError, match="scale_factor"):
        smearing_factors(pt, pt, resolution=resolution, scale_factor=np.zeros(100), noise=noise)


def test_worsening_twice_is_no_pair_of_up_and_down() -> None:
    """What version 0.1 did: a resolution worse by +r and by −r differ by nothing on average."""
    pt, generated, _, noise = _jets()
    widths = [np.std(worsened(noise, relative) * pt / generated) for relative in (0.0, 0.05, -0.05)]
    assert widths[1] == pytest.approx(np.hypot(0.12, 0.05), rel=0.03)
    assert widths[2] == pytest.approx(widths[1], rel=0.02)
    assert worsened(np.array([-100.0]), 0.05).tolist() == [0.1]
